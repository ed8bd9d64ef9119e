"""Ids of transformers' CLIPTokenizer with CLIP's own vocabulary: texts, and hashes over all of Unicode.

Usage: python scripts/golden/tokens.py FOLDER
"""

import gzip
import sys
from pathlib import Path

import torch
from transformers import CLIPTokenizer

from common import save

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    "",
    "a photo of a cat",
    "A Photo of the CAT, sitting on a mat!!",
    "It's we're I've I'm they'll he'd don't  DON'T 'tis rock'n'roll",
    "2024-11-05 3.14159 1st ½ Ⅷ ٣",
    "caf\u00e9 cafe\u0301 na\u00efve \u00c5ngstr\u00f6m \u212bngstr\u00f6m \ufb01sh",
    "\u1f08\u03c7\u03b9\u03bb\u03bb\u03b5\u03cd\u03c2 \u039f\u0394\u039f\u03a3 \u03a3 \u0130stanbul STRASSE stra\u00dfe \u1e9e",
    "一只猫坐在垫子上 日本語のテキスト 한국어 텍스트 \u1112\u1161\u11ab",
    "\U0001f600\U0001f680 \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f \U0001f1e9\U0001f1ea",
    "tabs\tand\nnewlines\r\n and\u00a0nbsp\u2003em\u3000wide\u200bzero\u0085next\u180e",
    "<|startoftext|>inside<|endoftext|> <|ENDOFTEXT|> <|other|>",
    "(masterpiece:1.2), [low quality], {curly} <lora:x:0.8> \\o/ ^_^ :-) ...---...",
    "हिन्दी पाठ ไทย العربية עברית ქართული",
    "a\u0300\u0301\u0302 \u0345 \u0958 \U0001d400\U0001d7d8",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "x" * 300,
    "!important! wow!!! ! a!b",
    "word " * 100,
]


def blocks():
    """256 code points at a time, each between letters that it may join, without surrogates."""
    for start in range(0, 0x110000, 256):
        if not 0xD800 <= start < 0xE000:
            yield start, " ".join(f"a{chr(c)}B" for c in range(start, start + 256))


def main(folder):
    with gzip.open(ROOT / "src/main/resources/clip/merges.txt.gz", "rt", encoding="utf-8") as f:
        merges = [tuple(line.split()) for line in f.read().split("\n")[1:] if line]
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in visible]
    letters = [chr(b) for b in visible] + [chr(256 + i) for i in range(len(hidden))]
    words = letters + [x + "</w>" for x in letters] + ["".join(m) for m in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocab = {w: i for i, w in enumerate(words)}
    plain = CLIPTokenizer(vocab=vocab, merges=merges)
    padded = CLIPTokenizer(vocab=vocab, merges=merges, pad_token="!")
    facts = {"texts": TEXTS}
    for name, tokenizer in (("plain", plain), ("padded", padded)):
        facts[name] = [tokenizer(t, add_special_tokens=False)["input_ids"] for t in TEXTS]
        facts[name + "_77"] = [tokenizer(t, padding="max_length", max_length=77, truncation=True)["input_ids"] for t in TEXTS]
    starts, hashes = [], []
    for start, text in blocks():
        h = 1
        for token in plain(text, add_special_tokens=False)["input_ids"]:
            h = (31 * h + token) & 0xFFFFFFFF
        starts.append(start)
        hashes.append(h)
    save(folder, "tokens", {"starts": torch.tensor(starts), "hashes": torch.tensor(hashes)}, **facts)


if __name__ == "__main__":
    main(sys.argv[1])
