"""Generates without pause, then interrupts: memory stays where it was, the text is whole UTF-8, Ctrl-C ends it cleanly.

Usage: soak_test.py PROGRAM. SOAK_SECONDS: how long (default 120).
"""
import codecs
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import unittest

PROGRAM = sys.argv.pop()
SECONDS = float(os.environ.get("SOAK_SECONDS", "120"))
# What a run may keep of each byte it wrote (its ids and text, in vectors that double), and what the allocator may add.
KEPT_PER_BYTE = 16
SLACK_BYTES = 8 << 20


def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} has ended")


class SoakTest(unittest.TestCase):
    def read(self):
        decoder = codecs.getincrementaldecoder("utf-8")("strict")
        try:
            for chunk in iter(lambda: self.process.stdout.read1(65536), b""):
                self.text_bytes += len(chunk)
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            self.bad_text = error

    def test_memory_stays_flat_and_an_interrupt_ends_it(self):
        self.text_bytes, self.bad_text = 0, None
        command = [PROGRAM, "generate", "--prompt", "In the beginning God", "--ignore-eos", "--max-tokens", "1000000000",
                   "--temperature", "1", "--seed", "1"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.process.kill)
        reader = threading.Thread(target=self.read)
        reader.start()

        time.sleep(SECONDS / 10)
        early_memory, early_text = resident_bytes(self.process.pid), self.text_bytes
        time.sleep(SECONDS * 9 / 10)
        late_memory, late_text = resident_bytes(self.process.pid), self.text_bytes
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(timeout=10)
        reader.join()

        print(f"{late_text} bytes of text in {SECONDS:.0f} s; resident {early_memory >> 10} KiB early, {late_memory >> 10} KiB late")
        self.assertEqual(status, 130, self.process.stderr.read().decode())
        self.assertIsNone(self.bad_text)
        self.assertGreater(late_text, early_text, "no text was made after the first tenth")
        self.assertLess(late_memory - early_memory, SLACK_BYTES + KEPT_PER_BYTE * (late_text - early_text))
        self.process.stdout.close()
        self.process.stderr.close()


if __name__ == "__main__":
    unittest.main()
