"""Words to the phonemes of a model: alphabets, lexicons, pronouncers."""
