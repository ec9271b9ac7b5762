"""A model on its own: the reference's ids, states as values, wrong arguments."""
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import xlstm_cpp
from golden import PROMPTS, ROOT, bits_of, reference, same_bits


@pytest.mark.parametrize("name", ["bard-8m", "bytes-mixed-1.5m"])
def test_prefill_and_greedy_ids_are_those_of_the_reference(name, model):
    golden = reference(name)
    loaded = model if name == "bard-8m" else xlstm_cpp.load(ROOT / "tests/data" / name, threads=1)
    for prompt in PROMPTS:
        logits, state = loaded.prefill(golden[f"{prompt}.tokens"])
        assert np.abs(logits - golden[f"{prompt}.logits"][-1]).max() <= 2e-4
        greedy = golden[f"{prompt}.greedy"].tolist()
        made = loaded.generate(golden[f"{prompt}.tokens"], temperature=0, max_tokens=len(greedy), ignore_eos=True)
        assert made.ids == greedy
        assert made.cached_tokens == 0 and made.prompt_tokens == state.num_tokens
    if loaded is not model:
        loaded.close()


@pytest.mark.parametrize("backend", [name for name in xlstm_cpp.backend_names() if name != "cpu"])
def test_other_backends_work_from_any_thread(backend, model):
    made = model.generate("HAMLET.", max_tokens=8, temperature=0)
    with xlstm_cpp.load(backend=backend, threads=1) as other, ThreadPoolExecutor() as pool:
        logits, state = other.prefill(other.tokenizer.encode("HAMLET."))
        assert pool.submit(lambda: other.generate(state=state, max_tokens=8, temperature=0)).result().ids == made.ids
        assert "".join(pool.submit(lambda: list(other.stream("HAMLET.", max_tokens=8, temperature=0))).result()) == made.text


def test_step_by_step_is_generate(model):
    made = model.generate("HAMLET.", temperature=0, max_tokens=12)
    logits, state = model.prefill(model.tokenizer.encode("HAMLET."))
    ids = []
    for _ in range(12):
        ids.append(int(logits.argmax()))
        logits, state = model.step(ids[-1], state)
    assert ids == made.ids
    assert same_bits(made.logits, logits) and bits_of(made.state)[:2] == bits_of(state)[:2]


def test_no_call_changes_a_state_that_it_is_given(model):
    _, state = model.prefill(model.tokenizer.encode("ROMEO."))
    before = bits_of(state)
    model.step(17, state)
    model.prefill([17, 18], state)
    model.generate(" But", state=state, max_tokens=3)
    model.generate(state=state, max_tokens=3)
    with pytest.raises(xlstm_cpp.InvalidArgumentError):
        model.prefill([17, model.vocab_size], state)
    fork = state.fork()
    model.step(17, fork, donate=True)
    assert bits_of(state) == before
    logits = state.logits
    logits[:] = 0
    assert bits_of(state) == before


def test_a_donated_state_is_empty_and_the_result_the_same(model):
    _, state = model.prefill([17])
    kept = state.fork()
    logits, _ = model.step(3, kept)
    donated, _ = model.step(3, state, donate=True)
    assert same_bits(logits, donated)
    for use in (lambda: state.logits, state.fork, lambda: model.step(3, state), lambda: state.num_tokens):
        with pytest.raises(xlstm_cpp.InvalidArgumentError, match="donated"):
            use()


def test_cutting_a_prompt_at_segments_changes_no_bit(model):
    segment = model.info["prefill_segment"]
    ids = (np.arange(2 * segment + 7) % 4000).astype(np.int32)
    calls = []
    whole, state = model.prefill(ids, progress=lambda done, total: calls.append((done, total)))
    _, begun = model.prefill(ids[:segment])
    cut, resumed = model.prefill(ids[segment:].tolist(), begun)
    assert same_bits(whole, cut) and bits_of(state) == bits_of(resumed) and resumed.aligned
    assert calls[-1] == (len(ids), len(ids))


def test_a_state_file_goes_on_in_another_process_to_the_bit(model, tmp_path):
    logits, state = model.prefill(model.tokenizer.encode("In the beginning God"))
    state.save(tmp_path / "s.xst", zstd_level=3)
    code = """if True:
        import sys, xlstm_cpp
        model = xlstm_cpp.load(threads=1)
        state = model.load_state(sys.argv[1])
        sys.stdout.buffer.write(state.logits.tobytes() + model.step(17, state)[0].tobytes())"""
    out = subprocess.run([sys.executable, "-c", code, tmp_path / "s.xst"], capture_output=True, check=True).stdout
    assert out == logits.tobytes() + model.step(17, state)[0].tobytes()
    with pytest.raises(xlstm_cpp.NotFoundError):
        model.load_state(tmp_path / "none.xst")
    (tmp_path / "bad.xst").write_bytes((tmp_path / "s.xst").read_bytes()[:-9])
    with pytest.raises(xlstm_cpp.CorruptFileError):
        model.load_state(tmp_path / "bad.xst")


def test_a_resumable_completion_goes_on_as_if_it_had_never_stopped(model):
    options = {"seed": 5, "temperature": 0.9}
    whole = model.generate("HAMLET.", max_tokens=20, **options)
    first = model.generate("HAMLET.", max_tokens=8, resumable=True, **options)
    second = model.generate(state=first.state, max_tokens=12, temperature=0.9)
    assert first.ids + second.ids == whole.ids and first.text + second.text == whole.text
    assert second.cached_tokens == first.state.num_tokens
    other = model.generate(state=first.state, max_tokens=12, temperature=0.9, seed=6)
    assert other.ids != second.ids


def test_a_prompt_follows_what_the_state_has_read(model):
    first = model.generate("HAMLET.", max_tokens=6, temperature=0)
    second = model.generate("\nROMEO.", state=first.state, max_tokens=6, temperature=0)
    ids = model.tokenizer.encode("HAMLET.") + first.ids + model.tokenizer.encode("\nROMEO.", bos=False)
    assert second.state.tokens == ids + second.ids


def test_streams_callbacks_and_results_agree(model):
    options = {"max_tokens": 24, "seed": 3}
    made = model.generate("HAMLET.", logprobs=2, **options)
    handle = model.stream("HAMLET.", **options)
    pieces = list(handle)
    assert [piece.id for piece in pieces if piece.id is not None] == made.ids == handle.result().ids
    assert "".join(pieces) == made.text
    texts, tokens, progress = [], [], []
    model.generate("HAMLET.", on_text=texts.append, on_token=tokens.append,
                   progress=lambda *at: progress.append(at), **options)
    assert "".join(texts) == made.text and tokens == made.ids and progress[-1][0] == progress[-1][1] > 0
    assert len(made.logprobs) == 24 and all(len(token.top) == 2 and token.logprob <= 0 for token in made.logprobs)


def test_what_a_callback_raises_comes_out_and_the_model_goes_on(model):
    def fail(_):
        raise ZeroDivisionError("mine")
    with pytest.raises(ZeroDivisionError, match="mine"):
        model.generate("HAMLET.", max_tokens=-1, ignore_eos=True, on_text=fail)
    with pytest.raises(ZeroDivisionError):
        model.prefill([17] * 2000, progress=lambda done, total: 1 // 0)
    assert len(model.generate("HAMLET.", max_tokens=2).ids) == 2


def test_letting_go_of_a_stream_ends_it(model):
    for _ in model.stream("HAMLET.", max_tokens=-1, ignore_eos=True):
        break
    assert len(model.generate("HAMLET.", max_tokens=2).ids) == 2


def test_drafts_change_nothing_but_the_passes(model):
    plain = model.generate("HAMLET. HAMLET. HAMLET.", max_tokens=24, temperature=0)
    drafted = model.generate("HAMLET. HAMLET. HAMLET.", max_tokens=24, temperature=0, draft="ngram")
    assert drafted.ids == plain.ids and plain.draft is None and drafted.draft["passes"] <= 24


@pytest.mark.parametrize("constraint, fits", [
    ({"regex": "[0-9]{3}"}, lambda text: len(text) == 3 and text.isdigit()),
    ({"grammar": 'root ::= "yes" | "no"'}, lambda text: text in ("yes", "no")),
    ({"json_schema": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2}},
     lambda text: all(isinstance(item, bool) for item in json.loads(text))),
])
def test_constraints(model, constraint, fits):
    made = model.generate("The answer: ", max_tokens=60, temperature=0, **constraint)
    assert made.finish_reason == "stop" and fits(made.text)


def test_chat_templates(bard):
    source = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[bot]{% endif %}"
    messages = [{"role": "user", "content": "Grüße"}]
    with xlstm_cpp.load(bard, chat_template=source, threads=1) as chat:
        text = chat.apply_chat_template(messages)
        assert text == "[user]Grüße[bot]"
        assert chat.apply_chat_template(messages, add_generation_prompt=False) == "[user]Grüße"
        assert chat.generate(messages, max_tokens=4, seed=1).ids == chat.generate(text, max_tokens=4, seed=1).ids
        with pytest.raises(xlstm_cpp.InvalidArgumentError):
            chat.apply_chat_template([])


def test_score_perplexity_and_embeddings_agree(model):
    text = "In the beginning God created the heaven"
    logprobs = model.score(text)
    found = model.perplexity(text)
    assert logprobs.dtype == np.float64 and len(logprobs) == found.tokens - 1
    assert abs(-logprobs.mean() - found.nll_per_token) < 1e-5
    vector = model.embed(text, pooling="last", normalize=True)
    assert vector.shape == (model.info["embedding_dim"],) and abs(np.linalg.norm(vector) - 1) < 1e-5


def test_tokenizer(model):
    tokenizer = model.tokenizer
    text = "Grüße, \U0001f600!"
    assert tokenizer.decode(tokenizer.encode(text, bos=False)) == text
    assert tokenizer.encode(text)[0] == tokenizer.bos and tokenizer.encode(text)[1:] == tokenizer.encode(text, bos=False)
    assert tokenizer.token_bytes(tokenizer.find(" the")) == b" the" and len(tokenizer) == tokenizer.vocab_size
    with pytest.raises(xlstm_cpp.InvalidArgumentError):
        tokenizer.decode([len(tokenizer)])


@pytest.mark.parametrize("call, error, word", [
    (lambda m: m.generate("x", max_token=3), TypeError, "'max_token'"),
    (lambda m: m.generate("x", priority=3), TypeError, "'priority': it belongs to a Service"),
    (lambda m: m.generate("x", max_tokens="3"), TypeError, "max_tokens: expected an integer but got str"),
    (lambda m: m.generate("x", max_tokens=True), TypeError, "max_tokens"),
    (lambda m: m.generate("x", max_tokens=2**70), ValueError, "max_tokens"),
    (lambda m: m.generate("x", seed=-1), ValueError, "seed"),
    (lambda m: m.generate("x", echo=1), TypeError, "echo: expected True or False but got int"),
    (lambda m: m.generate("x", logit_bias=[1]), TypeError, "logit_bias"),
    (lambda m: m.generate("x", temperature=float("nan")), xlstm_cpp.InvalidArgumentError, "temperature"),
    (lambda m: m.generate("x", regex="a", json_object=True), xlstm_cpp.InvalidArgumentError, "several"),
    (lambda m: m.generate("x", regex="("), xlstm_cpp.InvalidArgumentError, "regex"),
    (lambda m: m.generate(), xlstm_cpp.InvalidArgumentError, "neither"),
    (lambda m: m.generate(state=m.new_state()), xlstm_cpp.InvalidArgumentError, "logits"),
    (lambda m: m.generate(7), TypeError, "prompt"),
    (lambda m: m.prefill([]), xlstm_cpp.InvalidArgumentError, "token"),
    (lambda m: m.prefill([1.5]), TypeError, "tokens: expected an integer but got float"),
    (lambda m: m.step(1, None), TypeError, "state: expected a State but got NoneType"),
    (lambda m: m.prefill([1], "abc"), TypeError, "state: expected a State but got str"),
    (lambda m: m.generate("x", state=3), TypeError, "state: expected a State but got int"),
    (lambda m: m.prefill("abc"), TypeError, "tokens: expected a sequence of ids but got str"),
    (lambda m: m.step(-1, m.new_state()), xlstm_cpp.InvalidArgumentError, "token"),
    (lambda m: m.tokenizer.encode(b"x"), TypeError, "text: expected a str but got bytes"),
    (lambda m: m.embed("x", pooling="max"), xlstm_cpp.InvalidArgumentError, "pooling"),
    (lambda m: m.apply_chat_template([{"role": "user", "content": "x"}]), xlstm_cpp.UnsupportedError, "chat template"),
    (lambda m: xlstm_cpp.load("/none/such"), FileNotFoundError, "/none/such"),
    (lambda m: xlstm_cpp.load(backend="gpu"), xlstm_cpp.InvalidArgumentError, "gpu"),
    (lambda m: xlstm_cpp.load(threads=-1), xlstm_cpp.InvalidArgumentError, "threads"),
    (lambda m: xlstm_cpp.load(threads="2"), TypeError, "threads: expected an integer but got str"),
    (lambda m: xlstm_cpp.load(weights="borrow"), xlstm_cpp.InvalidArgumentError, "weights"),
    (lambda m: xlstm_cpp.load(progress=3), TypeError, "progress: expected a callable but got int"),
])
def test_wrong_arguments_are_named(model, call, error, word):
    with pytest.raises(error) as found:
        call(model)
    assert word in str(found.value)
    assert not isinstance(found.value, xlstm_cpp.Error) or found.value.code in ("invalid_argument", "unsupported", "not_found")


def test_states_belong_to_their_engine_and_closed_engines_refuse():
    fractions = []
    with xlstm_cpp.load(threads=1, progress=fractions.append) as one, xlstm_cpp.load(threads=1) as two:
        state = one.new_state()
        with pytest.raises(xlstm_cpp.InvalidArgumentError, match="another"):
            two.step(1, state)
    assert fractions[0] == 0 and fractions[-1] == 1
    for use in (lambda: one.step(1, state), lambda: one.info, lambda: one.tokenizer.encode("x"), state.tensors):
        with pytest.raises(xlstm_cpp.InvalidArgumentError, match="closed"):
            use()
    one.close()
