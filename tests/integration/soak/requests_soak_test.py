"""Requests of every kind without pause through xlstm batch: each is answered once, and memory stays where it was.

Usage: requests_soak_test.py PROGRAM. SOAK_SECONDS: how long (default 120).
"""
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import threading
import time
import unittest

PROGRAM = sys.argv.pop()
SECONDS = float(os.environ.get("SOAK_SECONDS", "120"))
WARM_UP = 1 / 6  # of the time: by then the prefix cache has its size
GROWTH = 1.02


def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} has ended")


def settled_bytes(pid):
    """Median of half a minute, as requests of several samples come and go: single moments lie up to 3 % apart."""
    samples = []
    for _ in range(30):
        samples.append(resident_bytes(pid))
        time.sleep(min(1, SECONDS / 300))
    return statistics.median(samples)


def request(rng, number):
    """Turns of a few texts that share beginnings, long and short, and now and then a wrong line."""
    text = f"Chapter {rng.randrange(4)}. " + "And it came to pass " * (8 * rng.randrange(8))
    line = {"id": number, "prompt": text + str(rng.randrange(5)), "max_tokens": rng.randrange(1, 40), "seed": number}
    if number % 7 == 0:
        line.update(n=rng.randrange(1, 4), logprobs=2)
    if number % 11 == 0:
        line.update(stop=["the", "\n"], min_tokens=min(3, line["max_tokens"]), frequency_penalty=0.5)
    if number % 13 == 0:
        line["temperature"] = 0
    if number % 101 == 0:
        line["unknown"] = 1
    return line


class RequestsSoakTest(unittest.TestCase):
    def feed(self):
        rng = random.Random(1)
        with self.process.stdin as stdin:
            while not self.stop.is_set():
                stdin.write(json.dumps(request(rng, self.sent)) + "\n")
                stdin.flush()
                self.sent += 1
                while self.sent - self.answered > 200 and not self.stop.is_set():
                    time.sleep(0.01)

    def check(self, line):
        wrong = "error" in line
        self.assertEqual(wrong, line["index"] % 101 == 0, line)
        self.assertNotIn(line["index"], self.open_twice)
        self.open_twice.add(line["index"])
        if len(self.open_twice) > 10000:  # far behind what is on its way
            self.open_twice = {index for index in self.open_twice if index > line["index"] - 2000}

    def read(self):
        for text in self.process.stdout:
            self.answered += 1
            try:
                self.check(json.loads(text))
            except (AssertionError, KeyError, ValueError) as fault:  # ends the test, but not the reading
                self.fault = self.fault or fault
                self.stop.set()

    def test_memory_stays_flat_and_every_request_is_answered_once(self):
        self.sent = self.answered = 0
        self.open_twice = set()
        self.fault = None
        self.stop = threading.Event()
        command = [PROGRAM, "batch", "--input", "-", "--output", "-", "--state-memory", "16MB", "--max-rows", "16"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.addCleanup(self.process.kill)
        threads = [threading.Thread(target=self.feed), threading.Thread(target=self.read)]
        for thread in threads:
            thread.start()
        self.stop.wait(SECONDS * WARM_UP)
        early_memory, early = settled_bytes(self.process.pid), self.answered
        self.stop.wait(SECONDS * (1 - WARM_UP))
        late_memory, late = settled_bytes(self.process.pid), self.answered
        self.stop.set()
        for thread in threads:
            thread.join()
        errors = self.process.stderr.read()
        if self.fault:
            raise self.fault
        status = self.process.wait(timeout=60)
        print(f"{self.answered} requests in {SECONDS:.0f} s; resident {early_memory / 1024:.0f} KiB after {SECONDS * WARM_UP:.0f} s, "
              f"{late_memory / 1024:.0f} KiB at the end: {late_memory / early_memory:.4f}\n{errors}")
        self.assertEqual(status, 2, errors)  # of the wrong lines
        self.assertEqual(self.answered, self.sent)
        self.assertGreater(late, early)
        self.assertLess(late_memory, GROWTH * early_memory)
        self.process.stdout.close()
        self.process.stderr.close()


if __name__ == "__main__":
    unittest.main()
