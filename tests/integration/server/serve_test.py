"""xlstm serve as a client sees it: starts, answers what `xlstm generate` says, asks for its key, ends on a signal.

Usage: serve_test.py PROGRAM
"""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop()
PROMPT = "In the beginning God"


class ServeTest(unittest.TestCase):
    def serve(self, *arguments, **environment):
        process = subprocess.Popen([PROGRAM, "serve", "--port", "0", *map(str, arguments)], stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, **environment})
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for line in process.stderr:
            if found := re.search(r"is served at http://127\.0\.0\.1:(\d+)", line):
                return process, int(found[1])
        self.fail(f"the server did not start: {process.wait()}")

    def ask(self, port, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.addCleanup(connection.close)
        connection.request(method, path, None if body is None else json.dumps(body), headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode()

    def test_text_and_stream_are_what_generate_says(self):
        _, port = self.serve()
        alone = subprocess.run([PROGRAM, "generate", "--prompt", PROMPT, "--temperature", "0", "--max-tokens", "24", "--json"],
                               capture_output=True, text=True, check=True)
        expected = json.loads(alone.stdout)["text"]
        body = {"model": "bard-8m", "prompt": PROMPT, "temperature": 0, "max_tokens": 24}
        status, text = self.ask(port, "POST", "/v1/completions", body)
        self.assertEqual(status, 200, text)
        self.assertEqual(json.loads(text)["choices"][0]["text"], expected)
        status, text = self.ask(port, "POST", "/v1/completions", {**body, "stream": True})
        self.assertEqual(status, 200, text)
        events = [line[len("data: "):] for line in text.splitlines() if line.startswith("data: ")]
        self.assertEqual(events.pop(), "[DONE]")
        self.assertEqual("".join(json.loads(event)["choices"][0]["text"] for event in events), expected)

    def test_what_is_wrong_is_named(self):
        _, port = self.serve()
        status, text = self.ask(port, "POST", "/v1/completions", {"model": "gpt", "prompt": "x"})
        self.assertEqual((status, json.loads(text)["error"]["code"]), (404, "model_not_found"))
        status, text = self.ask(port, "POST", "/v1/completions", {"model": "bard-8m", "prompt": "x", "temprature": 1})
        self.assertEqual(status, 400)
        self.assertIn("temprature", json.loads(text)["error"]["message"])
        self.assertEqual(self.ask(port, "GET", "/nowhere")[0], 404)
        status, _ = self.ask(port, "GET", "/v1/models", headers={"Host": "attacker.example"})
        self.assertIn(status, (403, 421))

    def test_keys_guard_all_but_health_and_the_page(self):
        _, port = self.serve(XLSTM_API_KEY="secret")
        self.assertEqual(self.ask(port, "GET", "/health")[0], 200)
        status, text = self.ask(port, "GET", "/")
        self.assertEqual(status, 200)
        self.assertIn("<title>xlstm.cpp</title>", text)
        for path in ("/v1/models", "/metrics", "/slots", "/props"):
            self.assertEqual(self.ask(port, "GET", path)[0], 401, path)
            self.assertEqual(self.ask(port, "GET", path, headers={"Authorization": "Bearer secret"})[0], 200, path)
            self.assertEqual(self.ask(port, "GET", path, headers={"Authorization": "Bearer secreT"})[0], 401, path)

    def test_an_address_for_others_needs_a_key(self):
        result = subprocess.run([PROGRAM, "serve", "--port", "0", "--host", "0.0.0.0"], capture_output=True, text=True,
                                check=False, timeout=60)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("key", result.stderr)

    def test_a_signal_ends_it_behind_what_runs(self):
        process, port = self.serve()
        self.assertEqual(self.ask(port, "GET", "/ready")[0], 200)
        process.send_signal(signal.SIGHUP)  # reads keys again, and goes on
        self.assertEqual(self.ask(port, "GET", "/ready")[0], 200)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), 0, process.stderr.read())

    def test_a_unix_socket(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        path = pathlib.Path(scratch.name) / "s"
        self.serve("--unix-socket", path)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            self.assertIn(b" 200 ", client.recv(4096))


if __name__ == "__main__":
    unittest.main()
