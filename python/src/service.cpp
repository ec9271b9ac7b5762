// Many requests: submit, drain and go on, statistics.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <mutex>

#include "python/src/arguments.h"
#include "python/src/engine.h"
#include "python/src/handle.h"
#include "python/src/request.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/rest_file.h"
#include "xlstm/engine/stats_socket.h"

namespace xlstm::python {
namespace {

using HostPtr = std::shared_ptr<Host>;
using scheduler::Path;
using scheduler::Submission;

/// What is left of a drained request.
struct Rest {
  std::shared_ptr<Host> host;
  engine::RequestId id = 0;
  scheduler::Rest left;
  const Submission& submission() const { return left.submission; }
};

/// Told by the engine's thread, which must not hold a Host.
class Listener {
 public:
  Listener(std::shared_ptr<Ticket> ticket, bool keep_state, std::vector<TokenId> read)
      : guard_(std::move(ticket)), keep_state_(keep_state), read_(std::move(read)) {}

  void on_token(std::size_t sample, const generation::Token& token) {
    if (said_.size() <= sample) said_.resize(sample + 1);
    said_[sample] += token.text.size();
    guard_->tell(Piece{sample, token.id, token.text});
  }
  void on_prefill(std::size_t done, std::size_t total) { guard_->tell(PrefillProgress{done, total}); }
  void on_end(engine::Outcome outcome) {
    Ended ended{{}, outcome.prompt_tokens, outcome.cached_tokens, outcome.queue_seconds, {}, outcome.error};
    ended.prompt_logprobs = std::move(outcome.prompt_logprobs);
    for (scheduler::Sample& sample : outcome.samples) {
      say_rest(sample);
      ended.answers.push_back(answer_of(sample, outcome.rest));
    }
    guard_->end(std::move(ended));
  }

 private:
  /// Text that no token brought: what was held back when it was cancelled, and all of a beam.
  void say_rest(const scheduler::Sample& sample) {
    const std::size_t said = sample.number < said_.size() ? said_[sample.number] : 0;
    const std::string& text = sample.result.text;
    if (said < text.size()) guard_->tell(Piece{sample.number, std::nullopt, text.substr(said)});
  }
  Answer answer_of(scheduler::Sample& sample, const std::vector<scheduler::Rest>& rest) const {
    Answer answer;
    answer.sample = sample.number;
    answer.score = sample.score;
    answer.drained = std::any_of(rest.begin(), rest.end(),
                                 [&](const scheduler::Rest& left) { return left.sample == sample.number; });
    if (keep_state_ && sample.state) {
      std::vector<TokenId> ids = read_;
      const std::vector<TokenId>& drawn = sample.result.ids;
      if (!drawn.empty()) {
        ids.insert(ids.end(), drawn.begin(), drawn.end() - 1);
        answer.unread = drawn.back();
      }
      answer.session.emplace(sample.state.read().clone(),
                             engine::Session::Past{std::move(ids), {}, std::nullopt, /*aligned=*/false});
    }
    answer.result = std::move(sample.result);
    return answer;
  }

  TicketGuard guard_;
  bool keep_state_;
  std::vector<TokenId> read_;      // state and prompt
  std::vector<std::size_t> said_;  // bytes of text, by sample
};

Handle submit(const HostPtr& host, Submission submission, bool keep_state, bool listen) {
  const auto ticket = host->new_ticket();
  std::vector<TokenId> read;
  if (submission.start) read = submission.start->ids;
  read.insert(read.end(), submission.request.prompt.begin(), submission.request.prompt.end());
  const auto listener = std::make_shared<Listener>(ticket, keep_state, std::move(read));
  if (listen) {
    submission.listener.on_token = [listener](std::size_t sample, const generation::Token& token) {
      listener->on_token(sample, token);
    };
    submission.listener.on_prefill = [listener](std::size_t done, std::size_t total) {
      listener->on_prefill(done, total);
    };
  }
  submission.listener.on_end = [listener, ticket, drained = host->drained()](engine::Outcome outcome) {
    {
      const std::lock_guard lock(drained->mutex);
      for (const scheduler::Rest& rest : outcome.rest) drained->rests.emplace_back(ticket, rest);
    }
    listener->on_end(std::move(outcome));
  };
  ticket->id = host->service()->submit(std::move(submission));
  return Handle(host, ticket);
}

scheduler::Start start_of(const engine::Session& session, std::size_t segment) {
  const Path reached = !session.aligned()                    ? Path::other
                       : session.ids().size() % segment == 0 ? Path::aligned
                                                             : Path::prompt_end;
  return {{scheduler::StatePool::adopt(session.state().clone()), {}, reached}, session.ids()};
}

Handle submit_prompt(const HostPtr& host, nb::handle prompt, State* state, const nb::dict& keywords, bool listen) {
  const auto service = host->service();
  RequestOptions options = read_request(keywords, Runner::service, service->engine());
  Submission& submission = options.submission;
  submission.request.prompt = read_ids("prompt", prompt);
  std::optional<engine::Session> session;
  if (state != nullptr) {
    session = state->take(*host, /*donate=*/false);
    submission.request.history = session->ids();
    if (submission.request.prompt.empty()) resume(submission.request, *session, options.own_seed);
  }
  {
    const nb::gil_scoped_release unlocked;
    if (options.constraint) submission.request.constraint = service->engine().constraint(*options.constraint);
    if (session) submission.start = start_of(*session, host->facts().segment);
  }
  return submit(host, std::move(submission), options.keep_state, listen);
}

std::vector<Rest> drain(const HostPtr& host) {
  const auto service = host->service();
  wait(service->call([](engine::Engine&, scheduler::Scheduler& scheduler) { scheduler.drain(); }));
  std::vector<Rest> rests;
  const std::lock_guard lock(host->drained()->mutex);
  for (auto& [ticket, rest] : std::exchange(host->drained()->rests, {})) {
    rests.push_back({host, ticket->id, std::move(rest)});
  }
  return rests;
}

Handle resume_rest(const HostPtr& host, const Rest& rest, bool listen) {
  if (rest.host != host) {
    fail(ErrorCode::invalid_argument, "rest",
         "expected a rest of this service but got one of another; save() it there and give its file to resume()");
  }
  return submit(host, rest.submission(), /*keep_state=*/false, listen);
}

Handle resume_file(const HostPtr& host, nb::handle path, nb::handle prompt, const nb::dict& keywords, bool listen) {
  const auto service = host->service();
  RequestOptions options = read_request(keywords, Runner::service, service->engine());
  options.submission.request.prompt = read_ids("prompt", prompt);
  if (options.constraint) {
    const nb::gil_scoped_release unlocked;
    options.submission.request.constraint = service->engine().constraint(*options.constraint);
  }
  Submission submission = wait(host->call(
      [made = std::move(options.submission), file = read_path("path", path)](engine::Engine& engine) mutable {
        engine::load_rest(engine, file, made);
        return std::move(made);
      }));
  return submit(host, std::move(submission), options.keep_state, listen);
}

void save_rest(const Rest& rest, nb::handle path) {
  wait(rest.host->call([submission = rest.submission(), file = read_path("path", path)](engine::Engine& engine) {
    engine::save_rest(engine, submission, file);
  }));
}

void bind_rest(nb::module_& module) {
  nb::class_<Rest>(module, "Rest", "What is left of a request that drain() ended.")
      .def_ro("id", &Rest::id, "Of the request (Handle.id).")
      .def_prop_ro(
          "sample", [](const Rest& rest) { return rest.left.sample; }, "Which of its samples.")
      .def_prop_ro(
          "prompt", [](const Rest& rest) { return rest.submission().request.prompt; },
          "Ids of the prompt that are not read yet.")
      .def_prop_ro(
          "tokens",
          [](const Rest& rest) {
            return rest.submission().start ? rest.submission().start->ids : std::vector<TokenId>();
          },
          "Ids that its state has read; none: it had not begun, and save() has nothing to keep.")
      .def_prop_ro(
          "max_tokens", [](const Rest& rest) { return rest.submission().request.max_tokens; },
          "How many tokens it may still draw; -1: no limit.")
      .def("save", save_rest, nb::arg("path"), nb::sig("def save(self, path: str | os.PathLike[str]) -> None"),
           "Writes a state file for Service.resume() of another process, which must be given prompt, max_tokens and "
           "the\n"
           "request's own options again. Errors: InvalidArgumentError (it had not begun).");
}

}  // namespace

void bind_service(nb::module_& module, EngineClass& engine) {
  bind_rest(module);
  engine
      .def("submit", submit_prompt, nb::arg("prompt"), nb::arg("state").none(), nb::arg("options"), nb::arg("listen"),
           nb::sig("def submit(self, prompt: collections.abc.Sequence[int], state: State | None, options: dict[str, "
                   "object], listen: bool) -> Handle"),
           "Hands a request to the scheduler.")
      .def("drain", drain, "Ends every request so that it can go on elsewhere.")
      .def("resume", resume_rest, nb::arg("rest"), nb::arg("listen"), "Goes on with a rest of this engine.")
      .def(
          "resume_file", resume_file, nb::arg("path"), nb::arg("prompt"), nb::arg("options"), nb::arg("listen"),
          nb::sig("def resume_file(self, path: str | os.PathLike[str], prompt: collections.abc.Sequence[int], options: "
                  "dict[str, object], listen: bool) -> Handle"),
          "Goes on with a saved rest.")
      .def(
          "stats_json", [](const Host& host) { return engine::stats_json(host.service()->stats()); },
          "Counters and histograms as one JSON object.")
      .def(
          "serve_stats", [](Host& host, nb::handle path) { host.serve_stats(read_path("path", path)); },
          nb::arg("path"), nb::sig("def serve_stats(self, path: str | os.PathLike[str]) -> None"),
          "Opens a Unix socket for `xlstm top`.");
}

}  // namespace xlstm::python
