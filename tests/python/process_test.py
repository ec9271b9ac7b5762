"""What a process does: Ctrl-C, fork, its end."""
import contextlib
import signal
import subprocess
import sys
import textwrap

import pytest

CTRL_C = {
    "generate": "model.generate('HAMLET.', max_tokens=-1, ignore_eos=True)",
    "callbacks": "model.generate('HAMLET.', max_tokens=-1, ignore_eos=True, on_text=len)",
    "prefill": "model.prefill([17] * 4000000, state)",
    "perplexity": "model.perplexity([17] * 4000000)",
    "iterate": "list(model.stream('HAMLET.', max_tokens=-1, ignore_eos=True))",
    "service": "service.generate('HAMLET.', max_tokens=-1, ignore_eos=True)",
    "batch": "service.batch(['HAMLET.'] * 9, max_tokens=-1, ignore_eos=True)",
}


@contextlib.contextmanager
def python(code):
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(code):
    with python(code) as process:
        _, err = process.communicate(timeout=30)
        return process.returncode, err


def test_ctrl_c_arrives_everywhere_and_nothing_changed():
    code = """
        import xlstm_cpp
        model, service = xlstm_cpp.load(threads=1), xlstm_cpp.Service(threads=1)
        state = model.prefill([17])[1]
        before = state.logits.tobytes(), state.tokens
    """
    for call in CTRL_C.values():
        code += f"""
        print("begin", flush=True)
        try:
            {call}
        except KeyboardInterrupt:
            pass
        assert (state.logits.tobytes(), state.tokens) == before
        assert len(model.generate("x", max_tokens=2, ignore_eos=True).ids) == 2
        """
    with python(code) as process:
        for _ in CTRL_C:
            assert process.stdout.readline() == "begin\n", process.stderr.read()
            with pytest.raises(subprocess.TimeoutExpired):  # a moment later the call is under way, and does not end
                process.wait(0.15)
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err


def test_a_forked_child_is_refused():
    code, err = run("""
        import os, xlstm_cpp
        model = xlstm_cpp.load(threads=1)
        state = model.prefill([17])[1]
        handle = model.stream("HAMLET.", max_tokens=-1, ignore_eos=True)
        next(handle)
        child = os.fork()
        if child == 0:
            for use in (lambda: model.step(1, state), handle.result, lambda: model.info):
                try:
                    use()
                    os._exit(1)
                except xlstm_cpp.UnsupportedError as error:
                    assert "forked" in str(error)
            del handle
            model.close()
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        handle.cancel()
        model.step(1, state)
    """)
    assert code == 0, err


def test_a_process_ends_whatever_is_left_open():
    code, err = run("""
        import asyncio, xlstm_cpp
        model, service = xlstm_cpp.load(threads=1), xlstm_cpp.Service(threads=1)
        handles = [service.submit("HAMLET.", max_tokens=-1, ignore_eos=True) for _ in range(3)]
        stream = model.stream("HAMLET.", max_tokens=-1, ignore_eos=True)
        asyncio.run(stream.__anext__())
        asyncio.run(handles[0].__anext__())
        lone = xlstm_cpp.load(threads=1).stream("HAMLET.", max_tokens=3)
        assert len(lone.result().ids) == 3
    """)
    assert (code, err) == (0, "")
