#include "python/src/completion.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "python/src/arrays.h"

namespace xlstm::python {

std::optional<State> Completion::state() const {
  Answer& answer = ended_->answers.at(index_);
  if (!answer.session) return std::nullopt;
  if (answer.unread) {
    answer.session =
        wait(host_->call([fork = answer.session->fork(), id = *answer.unread](engine::Engine& engine) mutable {
          engine.step(fork, id);
          return std::move(fork);
        }));
    answer.unread.reset();
  }
  return State(host_, answer.session->fork());
}

namespace {

using generation::SpeculationCounts;
using generation::Timings;
using generation::TokenLogProbs;

nb::object utf8(const std::string& text) {
  PyObject* const made = PyUnicode_DecodeUTF8(text.data(), Py_ssize_t(text.size()), "replace");
  if (made == nullptr) throw nb::python_error();
  return nb::steal(made);
}

std::string_view finish_reason(const Completion& completion) {
  const Answer& answer = completion.answer();
  return answer.drained ? "drained" : generation::finish_reason_name(answer.result.finish_reason);
}

std::vector<Completion> others(const Completion& completion) {
  std::vector<Completion> all;
  if (completion.index() > 0) return all;
  for (std::size_t i = 1; i < completion.ended().answers.size(); ++i) {
    all.emplace_back(completion.host(), completion.shared(), i);
  }
  return all;
}

nb::object logits_of(const Completion& completion) {
  const std::optional<State> state = completion.state();
  if (!state || state->session().logits().empty()) return nb::none();
  return to_numpy(state->session().logits());
}

nb::object draft_of(const Completion& completion) {
  const SpeculationCounts& counts = completion.answer().result.speculation;
  if (counts.passes == 0) return nb::none();
  nb::dict draft;
  draft["passes"] = counts.passes;
  draft["steps"] = counts.steps;
  draft["drafted"] = counts.drafted;
  draft["accepted"] = counts.accepted;
  return draft;
}

void bind_parts(nb::module_& module) {
  nb::class_<TokenLogProbs>(module, "TokenLogProbs", "What is known about a token.")
      .def_ro("logprob", &TokenLogProbs::logprob,
              "Natural logarithm of its probability under the model, before bias, penalties and temperature.")
      .def_prop_ro(
          "top",
          [](const TokenLogProbs& token) {
            std::vector<std::pair<TokenId, double>> top;
            for (const generation::IdLogProb& other : token.top) top.emplace_back(other.id, other.logprob);
            return top;
          },
          "The most probable ids there with their log-probabilities, best first.")
      .def("__repr__", [](const TokenLogProbs& token) {
        return "<xlstm_cpp.TokenLogProbs: " + std::to_string(token.logprob) + ">";
      });
  nb::class_<Timings>(module, "Timings", "Wall-clock seconds and rates of a request.")
      .def_ro("prompt_tokens", &Timings::prompt_tokens, "Tokens of the prompt that were read.")
      .def_ro("generated_tokens", &Timings::generated_tokens, "Tokens drawn.")
      .def_ro("prefill_seconds", &Timings::prefill_seconds, "Seconds to read the prompt.")
      .def_ro("decode_seconds", &Timings::decode_seconds, "Seconds from the first generated token to the last.")
      .def_ro("time_to_first_token_seconds", &Timings::time_to_first_token_seconds,
              "Seconds to the first token; 0 when there is none.")
      .def_prop_ro("prefill_tokens_per_second", &Timings::prefill_tokens_per_second, "0 when nothing was read.")
      .def_prop_ro("decode_tokens_per_second", &Timings::decode_tokens_per_second,
                   "Tokens after the first a second; 0 when there are none.");
}

}  // namespace

void bind_completion(nb::module_& module) {
  bind_parts(module);
  nb::class_<Completion>(module, "Completion", "What came of a request.")
      .def_prop_ro(
          "text", [](const Completion& made) { return utf8(made.answer().result.text); },
          nb::sig("def text(self) -> str"), "The generated text, without stop string and stop id.")
      .def_prop_ro(
          "ids", [](const Completion& made) { return made.answer().result.ids; }, "Generated ids, a stop id included.")
      .def_prop_ro("finish_reason", finish_reason,
                   "\"length\", \"stop\" (id, string, or nothing more that a constraint allows), \"cancelled\" or "
                   "\"drained\".")
      .def_prop_ro(
          "logprobs", [](const Completion& made) { return made.answer().result.logprobs; },
          "One TokenLogProbs an id when the request asked for them, else none.")
      .def_prop_ro(
          "prompt_logprobs", [](const Completion& made) { return made.ended().prompt_logprobs; },
          "One an id of the prompt when the request asked for them; None for the first.")
      .def_prop_ro(
          "timings", [](const Completion& made) { return made.answer().result.timings; }, "Seconds and rates.")
      .def_prop_ro(
          "state", &Completion::state,
          "The State after prompt and all ids, or None when it was not kept (a Service keeps it on keep_state).\n"
          "The first access makes the model's step for the last id.")
      .def_prop_ro("logits", logits_of, nb::sig("def logits(self) -> numpy.ndarray | None"),
                   "Logits after the last id: float32 [vocab_size], a copy; None without a state.")
      .def_prop_ro(
          "prompt_tokens", [](const Completion& made) { return made.ended().prompt_tokens; },
          "Tokens of the prompt, cached ones included.")
      .def_prop_ro(
          "cached_tokens", [](const Completion& made) { return made.ended().cached_tokens; },
          "Tokens that were not read again: of the given state, or of the prompt by the prefix cache.")
      .def_prop_ro(
          "queue_seconds", [](const Completion& made) { return made.ended().queue_seconds; },
          "Seconds from submission to the first piece of the prompt; 0 for a Model.")
      .def_prop_ro(
          "sample", [](const Completion& made) { return made.answer().sample; }, "Its number among the samples drawn.")
      .def_prop_ro(
          "score", [](const Completion& made) { return made.answer().score; },
          "With best_of the mean log-probability of its ids, with num_beams the beam's score, else 0.")
      .def_prop_ro("others", others, nb::sig("def others(self) -> list[Completion]"),
                   "The further samples of the same request, best first.")
      .def_prop_ro("draft", draft_of, nb::sig("def draft(self) -> dict[str, int] | None"),
                   "Counts of speculative decoding: passes, steps, drafted, accepted; None without a draft.")
      .def("__repr__", [](const Completion& made) {
        const nb::object text = nb::repr(utf8(made.answer().result.text));
        return "<xlstm_cpp.Completion: " + std::string(finish_reason(made)) + ", " +
               std::to_string(made.answer().result.ids.size()) + " tokens, " + nb::cast<std::string>(text) + ">";
      });
}

}  // namespace xlstm::python
