"""The Demucs family with made-up weights in the published formats, against the package demucs itself."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import io
import json
import math
import os
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demucs.apply import BagOfModels, apply_model
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from safetensors.torch import load_file, save_file
from signals import decibels, noise

import separation
from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.catalogue import Member, ModelSpec, WeightFile
from audio_ml.errors import WeightsCorrupt, WeightsError
from audio_ml.loader import ModelLoader
from audio_ml.sources import HubSource, UrlSource
from audio_ml.state_dicts import read_manifest
from audio_ml.weights import WeightStore
from separation.engines import demucs_family
from separation.ensemble import ensemble, find_weights, specialists
from separation.nets import htdemucs, hybrid_demucs
from separation.nets.htdemucs_fused import FusedHTDemucs

STEMS = ["drums", "bass", "other", "vocals"]
TINY = {"sources": STEMS, "channels": 8, "dconv_init": 1.0, "samplerate": 44100, "segment": Fraction(44)}
AMPLITUDE = {**TINY, "cac": False}
PUBLISHED = ["hdemucs-mmi", "mdx-extra-1", "mdx-extra-2", "htdemucs-ft-drums", "htdemucs-6s", "hdemucs-high"]
Arguments = Mapping[str, Any]


def network_of(arguments: Arguments, seed: int = 0) -> HDemucs:
    """Returns a network whose weights are exact in half precision."""
    torch.manual_seed(seed)
    network = HDemucs(**arguments).eval()
    network.load_state_dict({name: value.half() for name, value in network.state_dict().items()})
    return network


def checkpoint_of(network: torch.nn.Module, arguments: Arguments, **changes: Any) -> bytes:
    """Returns a checkpoint as demucs' tools/export.py wrote them, with the scores of a training as numpy's numbers."""
    package = {
        "klass": type(network),
        "args": (),
        "kwargs": dict(arguments),
        "state": {name: value.half() for name, value in network.state_dict().items()},
        "training_args": {"dset": {"segment": 11, "sources": STEMS}, "optim": {"lr": 3e-4}},
        "metrics": ({"main": np.float64(0.1), "nsdr": np.float32(7.5)}, {"nsdr": np.float64(7.7)}),
    }
    content = io.BytesIO()
    torch.save(package | changes, content)
    return named_as_by_numpy_1(content.getvalue())


def named_as_by_numpy_1(content: bytes) -> bytes:
    """Returns the archive with its pickle's names of numpy's modules as they were when the weights were published."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("data.pkl"):
                assert b"numpy._core.multiarray\n" in data
                data = data.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n")
            new.writestr(name, data)
    return changed.getvalue()


class Server:
    """A server on this machine that gives what a test puts under a path."""

    def __init__(self) -> None:
        pages: dict[str, bytes] = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = pages.get(self.path.split("?")[0])
                self.send_response(200 if page is not None else 404)
                self.send_header("Content-Length", str(len(page or b"")))
                self.end_headers()
                self.wfile.write(page or b"")

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.pages = pages
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def publish(self, row: str, content: bytes) -> ModelSpec:
        """Returns a row whose checkpoint is here, under a name with signature and checksum as on demucs' own server."""
        checksum = hashlib.sha256(content).hexdigest()[:8]
        name = f"0123abcd-{checksum}.th"
        self.pages[f"/{name}"] = content
        spec = catalogue.find("separation", row)
        file = WeightFile(name, 0, checksum, (UrlSource(f"{self.url}/{name}"),))
        derived = tuple(dataclasses.replace(made, inputs=(name,)) for made in spec.derived)
        return dataclasses.replace(spec, files=(file,), derived=derived)

    def publish_converted(self, row: str, content: bytes, name: str = "converted") -> ModelSpec:
        """Returns a row whose checkpoint is converted here and now, which spares a process."""
        spec = catalogue.find("separation", row)
        with tempfile.TemporaryDirectory() as folder:
            given, made = Path(folder) / "0-0.th", Path(folder) / "made"
            given.write_bytes(content)
            hybrid_demucs.build(made, given)
            self.pages[f"/{name}"] = made.read_bytes()
        digest = hashlib.sha256(self.pages[f"/{name}"]).hexdigest()
        file = WeightFile(spec.derived[0].name, 0, digest, (UrlSource(f"{self.url}/{name}"),))
        return dataclasses.replace(spec, name=name, files=(file,), derived=())


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def tiny_manifests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stands tiny networks in for the published ones."""
    for name, arguments in (("hdemucs", TINY), ("hdemucs-amplitude", AMPLITUDE)):
        shapes = HDemucs(**arguments).state_dict().items()
        lines = [f"{key}\t{','.join(map(str, value.shape))}\n" for key, value in shapes]
        (tmp_path / f"{name}.tsv").write_text("".join(lines))
    monkeypatch.setattr(hybrid_demucs, "MANIFESTS", tmp_path)


@pytest.fixture
def new_loader(tmp_path: Path) -> ModelLoader:
    return ModelLoader("cpu", WeightStore(cache=tmp_path / "cache", offline=False, accept_licences=True))


def run(spec: ModelSpec, loader: ModelLoader, mixture: Audio, **options: Any) -> np.ndarray:
    """Returns the model's own estimates [stems, 2, n]."""
    result = separation.separate(mixture, model=spec, loader=loader, options={"residual": "none", **options})
    return np.stack([result.stems[stem].samples for stem in spec.outputs])


def run_demucs(model: Any, mixture: Audio, segment_seconds: float) -> np.ndarray:
    """Returns what demucs' Separator gives [stems, 2, n], without random shifts."""
    sound = torch.from_numpy(mixture.samples)
    mean, deviation = sound.mean(0).mean(), sound.mean(0).std() + 1e-8
    heard = ((sound - mean) / deviation)[None]
    return (apply_model(model, heard, shifts=0, segment=segment_seconds)[0] * deviation + mean).numpy()


def song(seconds: float) -> Audio:
    """Returns a mixture with an offset, which the scale of the whole takes away."""
    audio = noise(seconds, seed=3)
    return Audio(0.2 * audio.samples + np.float32(0.05), audio.sample_rate)


@pytest.mark.parametrize(("arguments", "row"), [(TINY, "hdemucs-mmi"), (AMPLITUDE, "mdx-extra-2")])
def test_hybrid_demucs_is_that_of_the_package(
    server: Server, tiny_manifests: None, new_loader: ModelLoader, arguments: Arguments, row: str
) -> None:
    """Fetched, checked by the beginning of its sha256, converted, run: also where the last segment is a short one."""
    network = network_of(arguments)
    spec = server.publish(row, checkpoint_of(network, arguments))
    for seconds in (0.3, 2.6):
        made = run(spec, new_loader, song(seconds), segment_seconds=1, overlap=0.25)
        expected = run_demucs(network, song(seconds), 1)
        assert made.shape == expected.shape
        assert min(decibels(theirs, theirs - ours) for theirs, ours in zip(expected, made, strict=True)) > 90


@pytest.mark.parametrize("arguments", [TINY, AMPLITUDE])
def test_any_length_is_kept_and_silence_stays_silent(
    server: Server, tiny_manifests: None, new_loader: ModelLoader, arguments: Arguments
) -> None:
    """A last segment may be a sample long, and goes to the network as short as it is."""
    row = "hdemucs-mmi" if arguments is TINY else "mdx-extra-2"
    spec = server.publish_converted(row, checkpoint_of(network_of(arguments), arguments))
    for n_samples in (1, 2, 1000, 33076):  # the last: one sample more than the segments' distance
        mixture = Audio(song(1).samples[:, :n_samples], 44100)
        made = separation.separate(mixture, model=spec, loader=new_loader, options={"segment_seconds": 1})
        total = np.sum([stem.samples for stem in made.stems.values()], axis=0)
        np.testing.assert_allclose(total, mixture.samples, atol=1e-6)
    silence = Audio(np.zeros((2, 5000), np.float32), 44100)
    assert not run(spec, new_loader, silence).any()


def test_an_argument_of_the_published_file_is_heard(
    server: Server, tiny_manifests: None, new_loader: ModelLoader
) -> None:
    """`hybrid_old` changes no shape, only the padding; the old bug has to come back for weights trained with it."""
    old = {**TINY, "hybrid_old": True}
    network = network_of(old)
    made = run(server.publish_converted("mdx-extra-1", checkpoint_of(network, old)), new_loader, song(0.7))
    assert decibels(made, made - run_demucs(network, song(0.7), 44)) > 90
    assert decibels(made, made - run_demucs(network_of(TINY), song(0.7), 44)) < 60


def test_the_hubs_file_serves_as_well(
    server: Server, tiny_manifests: None, new_loader: ModelLoader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """safetensors with class and arguments as JSON beside the tensors, as demucs' tools/export_hf.py writes them."""
    network = network_of(TINY)
    encoded = TINY | {"segment": {"_type": "fraction", "numerator": 44, "denominator": 1}}
    described = {"klass": "demucs.hdemucs.HDemucs", "args": "[]", "kwargs": json.dumps(encoded)}
    save_file({name: value.half() for name, value in network.state_dict().items()}, tmp_path / "hub", described)
    server.pages["/someone/Demucs/resolve/main/75fc33f5.safetensors"] = (tmp_path / "hub").read_bytes()
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", _hub_of(server))
    spec = server.publish("hdemucs-mmi", b"")
    server.pages.pop(f"/{spec.files[0].name}")  # its own server is out of reach
    other = WeightFile("75fc33f5.safetensors", 0, "", (HubSource("someone/Demucs", "75fc33f5.safetensors", "main"),))
    spec = dataclasses.replace(spec, files=(dataclasses.replace(spec.files[0], alternatives=(other,)),))
    made = run(spec, new_loader, song(0.5))
    assert decibels(made, made - run_demucs(network, song(0.5), 44)) > 90


def _hub_of(server: Server) -> str:
    return server.url + "/{repo_id}/resolve/{revision}/{filename}"


@pytest.mark.parametrize("weights", [None, [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]]])
def test_a_bag_is_that_of_the_package(
    server: Server, tiny_manifests: None, new_loader: ModelLoader, weights: list[list[float]] | None
) -> None:
    """The mean of four, as mdx-extra; and four that make a stem each, as htdemucs-ft."""
    networks = [network_of(TINY, seed) for seed in range(4)]
    specs = [
        server.publish_converted("hdemucs-mmi", checkpoint_of(network, TINY), f"member-{number}")
        for number, network in enumerate(networks)
    ]
    members = [Member(spec) for spec in specs] if weights is None else specialists(list(zip(specs, STEMS, strict=True)))
    made = run(ensemble("bag", members), new_loader, song(0.7), segment_seconds=1)
    assert decibels(made, made - run_demucs(BagOfModels(networks, weights), song(0.7), 1)) > 90


def test_the_rows_of_bags_weigh_their_members_as_the_published_ones_do() -> None:
    """demucs/remote/htdemucs_ft.yaml and mdx_extra.yaml."""
    fine_tuned, extra = (catalogue.find("separation", name) for name in ("htdemucs_ft", "mdx_extra"))
    np.testing.assert_array_equal(find_weights(fine_tuned, fine_tuned.options()), np.eye(4))
    np.testing.assert_array_equal(find_weights(extra, extra.options()), np.full((4, 4), 0.25))
    signatures = [part.files[0].name.partition("-")[0] for part in (*fine_tuned.parts, *extra.parts)]
    assert signatures[:4] == ["f7e0c4bc", "d12395a8", "92cfc3b6", "04573f0d"]
    assert signatures[4:] == ["e51eebcc", "a1d90b5c", "5d2d6c55", "cfa93e08"]


def test_half_precision_is_close(server: Server, tiny_manifests: None, new_loader: ModelLoader) -> None:
    spec = server.publish_converted("hdemucs-mmi", checkpoint_of(network_of(TINY), TINY))
    full, half = (run(spec, new_loader, song(0.7), precision=precision) for precision in ("auto", "half"))
    assert 20 < decibels(full, full - half) < 90


def test_a_batch_is_what_its_segments_are_one_by_one(
    server: Server, tiny_manifests: None, new_loader: ModelLoader
) -> None:
    spec = server.publish_converted("hdemucs-mmi", checkpoint_of(network_of(TINY), TINY))
    batched = dataclasses.replace(spec, name="batched", engine=functools.partial(spec.engine, batch=2))
    alone, together = (run(one, new_loader, song(2.5), segment_seconds=1) for one in (spec, batched))
    assert decibels(alone, alone - together) > 90


def test_less_memory_step_by_step() -> None:
    engine = demucs_family.HybridDemucsEngine.__new__(demucs_family.HybridDemucsEngine)
    steps, options = [], demucs_family.HybridDemucsOptions()
    while (step := engine.lighter(options)) is not None:
        steps.append(step[0])
        options = step[1]
    assert steps == ["segments of 22 s", "segments of 11 s", "half precision"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_manifests_fit_the_published_sizes(name: str) -> None:
    """Apart from the numbers a published file has the names of its tensors and little else."""
    spec = catalogue.find("separation", name)
    manifests = {"hdemucs-high": "hdemucs-high", "htdemucs-6s": "htdemucs-6s", "htdemucs-ft-drums": "htdemucs"}
    manifests |= {"mdx-extra-2": "hdemucs-amplitude"}
    shapes = read_manifest(hybrid_demucs.MANIFESTS / f"{manifests.get(name, 'hdemucs')}.tsv")
    bytes_a_number = 4 if name == "hdemucs-high" else 2
    rest = spec.files[0].size - bytes_a_number * sum(map(math.prod, shapes.values()))
    assert 300 < rest / len(shapes) < 360


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("htdemucs", htdemucs.htdemucs),
        ("htdemucs-6s", functools.partial(htdemucs.htdemucs, htdemucs.SIX_STEMS, 0)),
        ("hdemucs", functools.partial(hybrid_demucs.hybrid_demucs, {"sources": STEMS, "channels": 48})),
        ("hdemucs-amplitude", functools.partial(hybrid_demucs.hybrid_demucs, {"sources": STEMS, "cac": False})),
    ],
)
def test_the_networks_have_the_manifests_tensors(name: str, make: Any) -> None:
    with torch.device("meta"):
        shapes = {key: tuple(value.shape) for key, value in make().state_dict().items()}
    assert shapes == read_manifest(hybrid_demucs.MANIFESTS / f"{name}.tsv")


def made_up(name: str) -> dict[str, torch.Tensor]:
    """Returns small random weights for a manifest."""
    generator = torch.Generator().manual_seed(0)
    shapes = read_manifest(hybrid_demucs.MANIFESTS / f"{name}.tsv")
    return {key: (0.02 * torch.randn(shape, generator=generator)).half() for key, shape in shapes.items()}


@pytest.mark.parametrize(
    ("manifest", "build", "stems", "bottom"),
    [("htdemucs", htdemucs.build, STEMS, 512), ("htdemucs-6s", htdemucs.build_six_stems, htdemucs.SIX_STEMS, 0)],
)
def test_checkpoints_of_the_transformers_are_read(
    tmp_path: Path, manifest: str, build: Any, stems: Sequence[str], bottom: int
) -> None:
    state = made_up(manifest)
    arguments = {"sources": list(stems), "bottom_channels": bottom, "segment": Fraction(39, 5), "dconv_mode": 3}
    (tmp_path / "0-0.th").write_bytes(checkpoint_of(HTDemucs(STEMS, channels=16), arguments, state=state))
    build(tmp_path / "made.safetensors", tmp_path / "0-0.th")
    found = load_file(tmp_path / "made.safetensors")
    assert found.keys() == state.keys() and all(torch.equal(found[key], state[key]) for key in state)


def test_six_stems_run_as_the_packages_network_does() -> None:
    """It is as wide as its transformer, with nothing between the two."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"channels": 16, "bottom_channels": 0, "dconv_mode": 3, "dconv_init": 0.3}
    network = HTDemucs(list(htdemucs.SIX_STEMS), segment=Fraction(2), **sizes).eval()
    sound = torch.from_numpy(song(2).samples[None])
    with torch.inference_mode():
        expected = network(sound)[:, [1, 5]].numpy()
        made = FusedHTDemucs(network, torch.float32)(sound, [1, 5]).numpy()
    assert decibels(expected, expected - made) > 90


@pytest.mark.slow
def test_torchaudios_weights_make_the_same_network(tmp_path: Path) -> None:
    """Its file is a bare state dict in 32 bits, under names of its own."""
    state = {name: tensor.float() for name, tensor in made_up("hdemucs-high").items()}
    torch.save(state, tmp_path / "hdemucs_high_trained.pt")
    hybrid_demucs.build_torchaudio(tmp_path / "made.safetensors", tmp_path / "hdemucs_high_trained.pt")
    network = hybrid_demucs.load(tmp_path / "made.safetensors", STEMS, "hdemucs")
    models = pytest.importorskip("torchaudio.models", reason="torchaudio is no dependency")
    theirs = models.hdemucs_high(STEMS).eval()
    theirs.load_state_dict(state)
    sound = torch.from_numpy(song(1.3).samples[None])
    with torch.no_grad():
        assert torch.equal(theirs(sound), network(sound))


def spoilt(network: HDemucs, **changes: torch.Tensor | None) -> dict[str, torch.Tensor]:
    state = dict(network.state_dict()) | {name.replace("__", "."): value for name, value in changes.items()}
    return {name: value for name, value in state.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"freq_emb__embedding__weight": None}, "1 tensors are missing, such as freq_emb.embedding.weight"),
        ({"tail": torch.zeros(2)}, "1 tensors belong to another network, such as tail"),
        ({"freq_emb__embedding__weight": torch.zeros(2)}, "1 tensors have other shapes"),
        ({"encoder__0__conv__bias": torch.full((8,), torch.nan)}, "1 tensors hold NaN"),
    ],
)
def test_other_tensors_are_refused(server: Server, changes: dict[str, Any], says: str) -> None:
    network = network_of(TINY)
    with pytest.raises(WeightsCorrupt, match=says):
        server.publish_converted("hdemucs-mmi", checkpoint_of(network, TINY, state=spoilt(network, **changes)))


def test_refused_weights_are_told_and_not_kept(
    server: Server, tiny_manifests: None, new_loader: ModelLoader, tmp_path: Path
) -> None:
    network = network_of(TINY)
    spec = server.publish("hdemucs-mmi", checkpoint_of(network, TINY, state=spoilt(network, tail=torch.zeros(2))))
    with pytest.raises(WeightsError, match="1 tensors belong to another network, such as tail"):
        run(spec, new_loader, song(0.1))
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_weights_that_fit_their_own_arguments_but_not_the_row_are_refused(
    server: Server, tiny_manifests: None, new_loader: ModelLoader
) -> None:
    wider = {**TINY, "channels": 16}
    spec = server.publish_converted("hdemucs-mmi", checkpoint_of(network_of(wider), wider))
    with pytest.raises(WeightsCorrupt, match="have other shapes"):
        run(spec, new_loader, song(0.1))


def test_other_stems_are_refused(server: Server, tiny_manifests: None, new_loader: ModelLoader) -> None:
    swapped = {**TINY, "sources": ["vocals", "bass", "other", "drums"]}
    spec = server.publish_converted("hdemucs-mmi", checkpoint_of(network_of(swapped), swapped))
    with pytest.raises(WeightsCorrupt, match="makes vocals, bass, other, drums, not drums"):
        run(spec, new_loader, song(0.1))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"klass": HTDemucs}, r"does not hold the weights of a demucs\.hdemucs\.HDemucs"),
        ({"kwargs": {**TINY, "channels": "many"}}, "a network that cannot be made"),
        ({"kwargs": {**TINY, "channels": {"a": 1}}}, "an argument 'channels' that is neither a number nor a word"),
        ({"state": {"__quantized": True}}, "belong to another network|are missing"),
    ],
)
def test_another_kind_of_checkpoint_is_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    (tmp_path / "0-0.th").write_bytes(checkpoint_of(network_of(TINY), TINY, **changes))
    with pytest.raises(WeightsCorrupt, match=says):
        hybrid_demucs.build(tmp_path / "made.safetensors", tmp_path / "0-0.th")
    assert not (tmp_path / "made.safetensors").exists()


class Trap:
    """Would run a command when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("part", ["metrics", "kwargs", "klass"])
def test_nothing_else_in_a_checkpoint_is_unpickled(tmp_path: Path, part: str) -> None:
    numbers = (np.float64(0.1),)  # keeps what checkpoint_of expects of its pickle
    trap = {"metrics": (numbers, Trap(tmp_path / "sprung")), part: Trap(tmp_path / "sprung")}
    (tmp_path / "0-0.th").write_bytes(checkpoint_of(network_of(TINY), TINY, training_args=numbers, **trap))
    with pytest.raises(WeightsCorrupt, match="does not hold weights alone"):
        hybrid_demucs.build(tmp_path / "made.safetensors", tmp_path / "0-0.th")
    assert not (tmp_path / "sprung").exists()
