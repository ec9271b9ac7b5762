"""Many requests: each as alone, piece by piece, from threads and event loops, drained and gone on with."""
import asyncio
import gc
import json
import os
import pathlib
import socket
import threading

import pytest

import xlstm_cpp

PROMPTS = ["HAMLET.", "ROMEO. But soft", "In the beginning God", "To be, or not to be, that is the question:\n" * 9]


def requests(count):
    return [{"prompt": PROMPTS[i % 4], "seed": i, "max_tokens": 5 + 3 * (i % 5), "temperature": 0.5 + 0.1 * (i % 7)}
            for i in range(count)]


def test_sixteen_at_once_are_as_each_alone(model, service):
    handles = [service.submit(**request) for request in requests(16)]
    for request, handle in zip(requests(16), handles):
        alone = model.generate(**request)
        made = handle.result()
        assert (made.ids, made.text, made.finish_reason) == (alone.ids, alone.text, alone.finish_reason)
    assert len({handle.id for handle in handles}) == 16


def test_batch_keeps_the_order_and_threads_may_submit(model, service):
    texts = [made.text for made in service.batch(requests(8))]
    found = {}

    def ask(i, request):
        found[i] = service.generate(**request).text
    threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(requests(8))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(8)] == texts
    with pytest.raises(xlstm_cpp.InvalidArgumentError):
        service.batch(["a", {"prompt": "b", "temperature": -1}])


def test_pieces_make_up_the_text(service):
    handle = service.submit("HAMLET.", max_tokens=20, seed=2)
    pieces = list(handle)
    made = handle.result()
    assert "".join(pieces) == made.text and [piece.id for piece in pieces] == made.ids
    assert handle.done and list(handle) == []


def test_samples_beams_and_scores(service):
    made = service.generate("HAMLET.", max_tokens=6, num_samples=2, best_of=4, seed=9)
    assert len(made.others) == 1 and made.score >= made.others[0].score and made.others[0].others == []
    beams = service.generate("HAMLET.", max_tokens=6, num_beams=3, num_samples=3)
    assert [beams.score] + [other.score for other in beams.others] == sorted(
        [beams.score] + [other.score for other in beams.others], reverse=True)
    scored = service.generate("HAMLET.", max_tokens=0, prompt_logprobs=2)
    assert scored.prompt_logprobs[0] is None and len(scored.prompt_logprobs) == scored.prompt_tokens


def test_async_iteration_waits_without_blocking_the_loop(service):
    async def read(prompt, seed):
        return "".join([piece async for piece in service.submit(prompt, max_tokens=12, seed=seed)])

    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1
        ticker = asyncio.create_task(tick())
        texts = await asyncio.gather(*(read(prompt, i) for i, prompt in enumerate(PROMPTS)))
        made = await service.submit("HAMLET.", max_tokens=12, seed=0)
        ticker.cancel()
        return texts, made.text, ticks
    texts, text, ticks = asyncio.run(main())
    assert texts[0] == text and ticks > 10
    assert texts == [service.generate(prompt, max_tokens=12, seed=i).text for i, prompt in enumerate(PROMPTS)]


def test_all_who_wait_for_a_handle_are_woken(service):
    async def main():
        handle = service.submit([17] * 2000, max_tokens=3, ignore_eos=True)
        made = await asyncio.wait_for(asyncio.gather(*(handle._wait() for _ in range(3))), 20)
        return [completion.ids for completion in made]
    ids = asyncio.run(main())
    assert len(ids[0]) == 3 and ids[0] == ids[1] == ids[2]


def test_cancelling_the_task_cancels_the_request(service):
    async def main():
        handle = service.submit("HAMLET.", max_tokens=-1, ignore_eos=True)
        task = asyncio.ensure_future(handle)
        await handle.__anext__()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return handle
    assert asyncio.run(main()).result(10).finish_reason == "cancelled"


def test_cancel_timeout_and_letting_go(service):
    handle = service.submit("HAMLET.", max_tokens=-1, ignore_eos=True)
    first = next(handle)
    with pytest.raises(TimeoutError):
        handle.result(0.01)
    handle.cancel()
    made = handle.result()
    assert made.finish_reason == "cancelled" and made.text.startswith(first)
    assert first + "".join(handle) == made.text
    handle = service.submit("HAMLET.", max_tokens=-1, ignore_eos=True)
    next(handle)
    del handle
    gc.collect()
    service.generate("ROMEO.", max_tokens=1)
    service.generate("ROMEO.", max_tokens=1)
    assert service.stats()["cancelled"] == 2


def test_states_go_in_and_come_out(service):
    first = service.generate("HAMLET.", max_tokens=6, temperature=0, keep_state=True)
    assert first.state.tokens == service.tokenizer.encode("HAMLET.") + first.ids
    tokens = first.state.tokens
    whole = service.generate("HAMLET.", max_tokens=12, temperature=0)
    second = service.generate(state=first.state, max_tokens=6, temperature=0)
    assert first.ids + second.ids == whole.ids and second.state is None and first.state.tokens == tokens
    with xlstm_cpp.load(threads=1) as other, pytest.raises(xlstm_cpp.InvalidArgumentError, match="another"):
        service.submit(state=other.prefill([1])[1])


def begun(service, **options):
    handle = service.submit("HAMLET.", max_tokens=40, ignore_eos=True, seed=4, stop=["never said"], **options)
    return handle, next(handle)


def test_drained_requests_go_on_with_the_same_text(service, tmp_path):
    whole = service.generate("HAMLET.", max_tokens=40, ignore_eos=True, seed=4, stop=["never said"])
    handle, first = begun(service)
    rest, = service.drain()
    said = handle.result()
    assert rest.id == handle.id and said.finish_reason == "drained" and first + "".join(handle) == said.text
    going_on = service.resume(rest).result()
    assert said.ids + going_on.ids == whole.ids and said.text + going_on.text == whole.text
    rest.save(tmp_path / "rest.xst")
    with pytest.raises(TypeError):
        service.resume(rest, max_tokens=3)
    with xlstm_cpp.Service(threads=1) as other:
        with pytest.raises(xlstm_cpp.InvalidArgumentError, match="another"):
            other.resume(rest)
        elsewhere = other.resume(tmp_path / "rest.xst", rest.prompt, max_tokens=rest.max_tokens, ignore_eos=True,
                                 stop=["never said"]).result()
    assert elsewhere.ids == going_on.ids and elsewhere.text == going_on.text


def how_it_ended(handle):
    try:
        return handle.result(10).finish_reason
    except xlstm_cpp.CancelledError as error:  # before its first token
        return error.code


def test_bounds_are_kept_and_named():
    with xlstm_cpp.Service(threads=1, max_running=1, max_queued=1) as small:
        handles = [small.submit("HAMLET.", max_tokens=-1, ignore_eos=True)]
        next(handles[0])
        with pytest.raises(xlstm_cpp.OverloadedError, match="waiting"):
            for _ in range(100):
                handles.append(small.submit([17] * 3000, max_tokens=-1, ignore_eos=True))
    assert [how_it_ended(handle) for handle in handles] == ["cancelled"] * len(handles)
    with pytest.raises(TypeError, match="'max_rows'"):
        xlstm_cpp.Service(max_rows=1)
    with pytest.raises(TypeError, match="'draft'"):
        with xlstm_cpp.Service(threads=1) as other:
            other.submit("x", draft="ngram")


def test_prefix_cache_and_state_cache(tmp_path):
    prompt = [i % 4000 for i in range(600)]
    with xlstm_cpp.Service(threads=1, state_cache=tmp_path / "cache", prefill_workers=1, exact_reuse=True) as first:
        made = first.generate(prompt, max_tokens=3, temperature=0)
        again = first.generate(prompt, max_tokens=3, temperature=0)
    assert made.cached_tokens == 0 and again.cached_tokens == 600 and again.ids == made.ids
    with xlstm_cpp.Service(threads=1, state_cache=tmp_path / "cache") as second:
        assert second.generate(prompt, max_tokens=3, temperature=0).cached_tokens == 600
    with xlstm_cpp.Service(threads=1, prefix_cache=False) as third:
        third.generate(prompt, max_tokens=3)
        assert third.generate(prompt, max_tokens=3).cached_tokens == 0


def test_statistics_are_told_and_served(service, tmp_path):
    service.generate("HAMLET.", max_tokens=3)
    path = pathlib.Path(os.path.relpath(tmp_path / "s"))
    service.serve_stats(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        line = json.loads(client.makefile().readline())
    assert line.keys() == service.stats().keys() and line["submitted"] == 1
    service.close()
    assert not path.exists()
