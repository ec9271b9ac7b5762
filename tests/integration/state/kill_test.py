"""A process that saves states without pause is killed at random moments: what is left is the old file or the new one.

Usage: kill_test.py PROGRAM ROUNDS. KILL_SEED: of the moments (default: always the same).
"""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import unittest

ROUNDS = int(sys.argv.pop())
PROGRAM = sys.argv.pop()
SAVES = 3000  # of each process: more than it lives to make
LONGEST_SECONDS = 0.06  # from the first save to the kill: many saves


class KillTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)
        self.file = self.directory / "kept" / "state.xst"
        self.file.parent.mkdir()

    def run_xlstm(self, *arguments, check=True):
        result = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
        if check:
            self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def info(self, path):
        return json.loads(self.run_xlstm("state", "info", path, "--json").stdout)

    def temporaries(self):
        return [path for path in self.file.parent.iterdir() if path != self.file]

    def start(self, states):
        """Saves the states in turn, again and again; returns when the first save is done."""
        script = "".join(f"/load {state}\n/save {self.file}\n" for state in states) * (SAVES // len(states))
        process = subprocess.Popen([PROGRAM, "chat", "--threads", "1"], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL)
        self.addCleanup(process.stderr.close)
        os.set_blocking(process.stdin.fileno(), False)
        process.stdin.write(script.encode()[:60_000])  # what a pipe takes at once
        while not process.stderr.readline().startswith(b"(saved"):
            self.assertIsNone(process.poll(), "it ended by itself")
        return process

    def test_the_old_or_the_new_file_is_left(self):
        texts = {"a": "In the beginning God", "b": "HAMLET. To be, or not to be, that is the question"}
        states = {name: self.directory / name for name in texts}
        for name, text in texts.items():
            self.run_xlstm("state", "save", "--prompt", text, "--output", states[name])
        wanted = {self.info(path)["ids_hash"]: path for path in states.values()}
        self.assertEqual(len(wanted), 2)
        choices = random.Random(int(os.environ.get("KILL_SEED", "1")))
        in_the_middle = 0
        for round_ in range(ROUNDS):
            process = self.start(states.values())
            time.sleep(choices.uniform(0, LONGEST_SECONDS))
            process.kill()
            process.stdin.close()
            self.assertEqual(process.wait(), -9, f"round {round_}")
            found = self.info(self.file)  # refuses a damaged file
            self.assertIn(found["ids_hash"], wanted, f"round {round_}")
            self.assertEqual(self.run_xlstm("state", "diff", self.file, wanted[found["ids_hash"]]).returncode, 0)
            in_the_middle += len(self.temporaries())
            self.assertLessEqual(len(self.temporaries()), 1, "the next process left what the last one left")
        print(f"{ROUNDS} kills, {in_the_middle} of them while a file was being written")
        self.assertGreater(in_the_middle, ROUNDS // 20, "hardly any kill fell into a save: the test tests nothing")

        self.run_xlstm("generate", "--state", states["a"], "--max-tokens", "1", "--save-state", self.file)
        self.assertEqual(self.temporaries(), [], "what killed processes left was not cleaned up")
        self.assertEqual(self.info(self.file)["token_count"], self.info(states["a"])["token_count"] + 1)


if __name__ == "__main__":
    unittest.main()
