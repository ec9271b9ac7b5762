"""Encoding speed beside Hugging Face `tokenizers`, one thread, each document once.

    python bench/tokenizer/compare.py ENCODE_BENCH TOKENIZER.json [--rounds 5] [--json]

Needs `tokenizers==0.23.3`. Both sides encode the same documents in fresh processes, in turn, so that neither starts
with a warm cache and both see the same machine. Two kinds of text are measured apart: `english` (tests/data/text/val.txt,
cut at <|endoftext|> and at blank lines) and `mixed` (text put together from eleven languages and some code, seeded).
Hugging Face is timed the two ways it offers, one call a document and one call for all (`encode_batch_fast`, which leaves
out offsets), and the faster one counts. Before timing, the ids of both sides are compared; any difference ends the run.
Loading is outside the clock. The ratio is that of the best rounds: a busy machine only ever makes a round slower.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

ROOT = pathlib.Path(__file__).resolve().parents[2]

SENTENCES = """\
All human beings are born free and equal in dignity and rights.
Tous les êtres humains naissent libres et égaux en dignité et en droits.
Alle Menschen sind frei und gleich an Würde und Rechten geboren.
Todos los seres humanos nacen libres e iguales en dignidad y derechos.
Все люди рождаются свободными и равными в своём достоинстве и правах.
Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.
人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心。
すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。
모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.
يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.
सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।
    for (int i = 0; i < 128; ++i) {\n\t\tsum += x[i] * 3.14159;  // don't unroll\n    }
""".splitlines()


def english():
    text = (ROOT / "tests/data/text/val.txt").read_text(encoding="utf-8")
    return [p for part in text.split("<|endoftext|>") for p in part.split("\n\n") if p.strip()]


def mixed(num_documents=1500, seed=1):
    """Words of the sentences in new orders: neither side sees whole sentences again and again."""
    rng = random.Random(seed)
    documents = []
    for _ in range(num_documents):
        parts = []
        for sentence in rng.choices(SENTENCES, k=5):
            words = sentence.replace("\\n", "\n").replace("\\t", "\t").split(" ")
            if rng.random() < 0.7:
                rng.shuffle(words)
            if rng.random() < 0.3:
                words.insert(0, f"{rng.randrange(10**6)}:")
            parts.append(" ".join(words))
        documents.append("\n".join(parts))
    return documents


def hugging_face(tokenizer_path, documents_path, mode):
    """Runs in its own process; prints seconds, or ids with mode "ids"."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(tokenizer_path)
    with open(documents_path, encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    begin = time.perf_counter()
    if mode == "batch":
        encodings = tokenizer.encode_batch_fast(documents, add_special_tokens=False)
    else:
        encodings = [tokenizer.encode(d, add_special_tokens=False) for d in documents]
    seconds = time.perf_counter() - begin
    if mode == "ids":
        for encoding in encodings:
            print(json.dumps(encoding.ids, separators=(",", ":")))
    else:
        print(json.dumps({"seconds": seconds, "tokens": sum(len(e.ids) for e in encodings)}))


def output_of(command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def compare(name, documents, args):
    """Returns one row of the report."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(json.dumps(document) + "\n" for document in documents)
        file.flush()
        ours = [args.encode_bench, args.tokenizer, file.name]
        theirs = [sys.executable, __file__, "--hugging-face", args.tokenizer, file.name]
        if output_of(ours + ["--ids"]) != output_of(theirs + ["ids"]):
            sys.exit(f"error: {name}: the ids differ")
        seconds = {"xlstm": [], "one by one": [], "batch": []}
        for _ in range(args.rounds):
            report = json.loads(output_of(ours))
            seconds["xlstm"].append(report["seconds"])
            for mode in ("one by one", "batch"):
                seconds[mode].append(json.loads(output_of(theirs + [mode]))["seconds"])
    best = {side: min(times) for side, times in seconds.items()}
    fastest = min(best["one by one"], best["batch"])
    return {
        "text": name,
        "documents": len(documents),
        "tokens": report["tokens"],
        "xlstm_tokens_per_second": report["tokens"] / best["xlstm"],
        "hugging_face_tokens_per_second": report["tokens"] / fastest,
        "ratio": fastest / best["xlstm"],
    }


def main():
    if sys.argv[1:2] == ["--hugging-face"]:
        return hugging_face(*sys.argv[2:5])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encode_bench", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("tokenizer", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    args = parser.parse_args()
    for name, documents in (("english", english()), ("mixed", mixed())):
        row = compare(name, documents, args)
        if args.json:
            print(json.dumps(row))
        else:
            print(
                f"{row['text']:8} {row['documents']:5} documents {row['tokens']:8} tokens   "
                f"xlstm {row['xlstm_tokens_per_second'] / 1e6:6.2f} M/s   "
                f"tokenizers {row['hugging_face_tokens_per_second'] / 1e6:6.2f} M/s   ratio {row['ratio']:.2f}"
            )


if __name__ == "__main__":
    main()
