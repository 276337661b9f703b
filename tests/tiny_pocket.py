"""Pocket-TTS in small, with made-up weights: made by the package's own classes, in the files of its rows."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import sentencepiece
import tokenizers
import torch
import yaml
from pocket_tts.models.flow_lm import FlowLMModel
from pocket_tts.models.mimi import build_mimi
from pocket_tts.utils.config import CONFIGS_DIR, Config
from safetensors.torch import save_file

from audio_ml.catalogue import WeightFile
from audio_ml.sources import HubSource
from voiceclone.engines.pocket_tts import PocketEngine
from voiceclone.zero_shot import ZeroShotModel

SENTENCES = [
    "The harbour was quiet. Nobody had seen the boats come in!",
    "Was it the wind? It was not; the wind had gone, and with it the birds...",
    "She counted seven lamps, eight lamps, and the one at the end: dark.",
]
N_TOKENS = 50
REVISION = "b" * 40


def tiny_config(published: str, folder: Path) -> Path:
    """Writes one of the package's configurations with every layer made small, and returns its path."""
    config = yaml.safe_load((CONFIGS_DIR / f"{published}.yaml").read_text())
    config.pop("weights_path_without_voice_cloning")
    language, codec = config["flow_lm"], config["mimi"]
    language["transformer"] |= {"d_model": 32, "num_heads": 2, "num_layers": 2}
    language["flow"] |= {"dim": 16, "depth": 2}
    language["lookup_table"] |= {"dim": 32, "n_bins": N_TOKENS}
    for name in ("seanet", "decoder_seanet"):
        if name in codec:
            codec[name] |= {"dimension": 16, "n_filters": 4}
    for name in ("transformer", "decoder_transformer"):
        if name in codec:
            codec[name] |= {"d_model": 16, "num_heads": 2, "num_layers": 1, "dim_feedforward": 32}
            codec[name] |= {"input_dimension": 16, "output_dimensions": [16]}
    codec["outer_dim"] = codec["quantizer"]["output_dimension"] = 16
    config["weights_path"] = str(folder / "model.safetensors")
    language["lookup_table"]["tokenizer_path"] = str(folder / _tokenizer_name(config))
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def _tokenizer_name(config: dict[str, Any]) -> str:
    kind = config["flow_lm"]["lookup_table"]["tokenizer"]
    return "tokenizer.json" if kind == "tokenizers" else "tokenizer.model"


def write_tokenizer(path: Path) -> None:
    """Trains a tokenizer of the kind that the file's name asks for."""
    if path.suffix == ".model":
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES),
            model_prefix=str(path.with_suffix("")),
            vocab_size=N_TOKENS,
            minloglevel=5,
        )
        path.with_suffix(".vocab").unlink()
        return
    made = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    made.decoder = tokenizers.decoders.Metaspace()
    made.train_from_iterator(
        SENTENCES * 3, tokenizers.trainers.BpeTrainer(vocab_size=N_TOKENS, special_tokens=["<unk>"])
    )
    assert made.get_vocab_size() == N_TOKENS
    made.save(str(path))


def write_weights(config_path: Path, seed: int = 0, end_bias: float = -100.0) -> None:
    """Writes weights of the configuration's shapes; `end_bias` is how sure the network is to have come to an end."""
    content = yaml.safe_load(config_path.read_text())
    config = Config(**content)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        language = FlowLMModel.from_pydantic_config(
            config.flow_lm, config.mimi.quantizer.dimension, config.flow_lm.insert_bos_before_voice
        )
        shape = (config.flow_lm.transformer.d_model, config.mimi.inner_dim)
        language.speaker_proj_weight = torch.nn.Parameter(torch.randn(shape))
        network = torch.nn.ModuleDict({"flow_lm": language, "mimi": build_mimi(config.mimi)})
        state = {name: value.clone() for name, value in network.state_dict().items()}
        for name, value in state.items():
            if "flow_net" in name and not value.any():  # its last layers begin at zero
                state[name] = 0.3 * torch.randn(value.shape)
            if name.endswith("layer_scale_1.scale") or name.endswith("layer_scale_2.scale"):
                state[name] = torch.full_like(value, 0.5)
    state["flow_lm.out_eos.bias"] = torch.full_like(state["flow_lm.out_eos.bias"], end_bias)
    save_file(state, content["weights_path"])


def tiny_row(published: ZeroShotModel, folder: Path, end_bias: float = -100.0) -> ZeroShotModel:
    """Returns a row like a published one, whose files, in `folder`, are small and made up."""
    arguments = published.engine.keywords  # type: ignore[attr-defined]
    config = tiny_config(arguments["config"], folder)
    write_tokenizer(folder / arguments["tokenizer"])
    write_weights(config, end_bias=end_bias)
    files = tuple(
        WeightFile(file.name, 0, "", (HubSource("someone/pocket", f"{published.name}/{file.name}", REVISION),))
        for file in published.files
    )
    engine = functools.partial(PocketEngine, config=str(config.with_suffix("")), tokenizer=arguments["tokenizer"])
    return dataclasses.replace(published, name=f"tiny-{published.name}", files=files, engine=engine)
