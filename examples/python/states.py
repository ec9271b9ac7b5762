"""Load a model, read a prompt, step greedily, and keep the state: in memory (fork) and in a file."""
import pathlib
import tempfile

import xlstm_cpp


def continue_greedily(model, logits, state, count):
    ids = []
    for _ in range(count):
        ids.append(int(logits.argmax()))
        logits, state = model.step(ids[-1], state, donate=True)  # each state is used once: no copies
    return model.tokenizer.decode(ids)


def main():
    prompt = "In the beginning God"
    with xlstm_cpp.load() as model, tempfile.TemporaryDirectory() as folder:
        # The prompt is read once. What the model remembers of it has a fixed size, whatever its length.
        logits, state = model.prefill(model.tokenizer.encode(prompt))
        path = pathlib.Path(folder, "state.xst")
        state.save(path)
        restored = model.load_state(path)  # any other model refuses it

        text = continue_greedily(model, logits, state.fork(), 32)
        print(prompt + text)
        print("state:", state.nbytes, "bytes after", state.num_tokens, "tokens")
        print("file agrees:", continue_greedily(model, restored.logits, restored, 32) == text)


if __name__ == "__main__":
    main()
