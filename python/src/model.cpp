// One call at a time: prefill, step, generate, states as values.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "python/src/arguments.h"
#include "python/src/arrays.h"
#include "python/src/engine.h"
#include "python/src/handle.h"
#include "python/src/request.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/draft.h"
#include "xlstm/engine/embed.h"

namespace xlstm::python {
namespace {

using HostPtr = std::shared_ptr<Host>;

/// Written by the engine's thread, told by the caller's.
struct Progress {
  std::atomic<std::size_t> done{0}, total{0};
};

/// Runs `action(engine, progress, cancel)` while `progress` is told of.
template <class Action>
auto wait_with_progress(Host& host, nb::object progress, Action action) {
  const CancelFlag cancel = host.new_cancel_flag();
  const auto counted = std::make_shared<Progress>();
  std::size_t told = 0;
  const auto tell = [&] {
    const std::size_t done = counted->done;
    if (progress.is_none() || done == told) return;
    told = done;
    progress(done, counted->total.load());
  };
  auto value = wait(host.call([action = std::move(action), counted, cancel](engine::Engine& engine) mutable {
    return action(engine, *counted, *cancel);
  }),
                    cancel, tell);
  tell();
  return value;
}

nb::tuple logits_and_state(HostPtr host, engine::Session session) {
  nb::object logits = to_numpy(session.logits());
  return nb::make_tuple(std::move(logits), State(std::move(host), std::move(session)));
}

engine::Session begin(const HostPtr& host, State* state, bool donate) {
  if (state != nullptr) return state->take(*host, donate);
  return wait(host->call([](engine::Engine& engine) { return engine.new_session(); }));
}

/// In segments, so that Ctrl-C need not wait for the end; cutting there changes no bit.
nb::tuple prefill(const HostPtr& host, nb::handle tokens, State* state, bool donate, nb::object progress) {
  std::vector<TokenId> ids = read_ids("tokens", tokens);
  engine::Session session = begin(host, state, donate);
  auto read = wait_with_progress(
      *host, std::move(progress),
      [ids = std::move(ids), session = std::move(session), segment = host->facts().segment](
          engine::Engine& engine, Progress& counted, const std::atomic<bool>& cancel) mutable {
        const std::span<const TokenId> all(ids);
        for (const TokenId id : all) {  // before the first piece, not in the middle
          const std::int64_t vocab = engine.model().config.vocab_size;
          if (id < 0 || id >= vocab) {
            fail(ErrorCode::invalid_argument, "tokens", "expected ids from 0 to ", vocab - 1, " but got ", id);
          }
        }
        counted.total = all.size();
        do {
          if (cancel) fail(ErrorCode::cancelled, "prefill", "cancelled");
          const std::size_t done = counted.done;
          const std::size_t count = std::min(segment, all.size() - done);
          engine.prefill(session, all.subspan(done, count));
          counted.done = done + count;
        } while (counted.done < all.size());
        return std::move(session);
      });
  return logits_and_state(host, std::move(read));
}

nb::tuple step(const HostPtr& host, nb::handle token, State& state, bool donate) {
  const TokenId id = read_id("token", token);
  auto read = wait(host->call([id, session = state.take(*host, donate)](engine::Engine& engine) mutable {
    engine.step(session, id);
    return std::move(session);
  }));
  return logits_and_state(host, std::move(read));
}

State load_state(const HostPtr& host, nb::handle path) {
  return State(
      host,
      wait(host->call([file = read_path("path", path)](engine::Engine& engine) { return engine.restore(file); })));
}

/// A token and then its text become one piece.
class Teller {
 public:
  explicit Teller(std::shared_ptr<Ticket> ticket) : ticket_(std::move(ticket)) {}
  void on_token(TokenId id) {
    flush();
    id_ = id;
  }
  void on_text(std::string_view text) { ticket_->tell(Piece{0, std::exchange(id_, std::nullopt), std::string(text)}); }
  /// A token that had no text.
  void flush() {
    if (id_) on_text("");
  }

 private:
  std::shared_ptr<Ticket> ticket_;
  std::optional<TokenId> id_;
};

struct Generation {
  engine::Session session;
  generation::Request request;
  std::string draft;
  std::size_t draft_tokens;
  engine::LoadOptions load_options;
  bool listen;
};

void generate(engine::Engine& engine, Generation& work, const std::shared_ptr<Ticket>& ticket) {
  Teller teller(ticket);
  generation::Callbacks callbacks;
  callbacks.cancel = &ticket->cancelled();
  if (work.listen) {
    callbacks.on_token = [&](TokenId id) { teller.on_token(id); };
    callbacks.on_text = [&](std::string_view text) { teller.on_text(text); };
    callbacks.on_prefill = [&](std::size_t done, std::size_t total) { ticket->tell(PrefillProgress{done, total}); };
  }
  const auto draft = work.draft.empty() ? nullptr : engine::make_draft(work.draft, engine, work.load_options);
  Ended ended;
  ended.cached_tokens = work.session.ids().size();
  ended.prompt_tokens = work.request.prompt.size();
  Answer answer;
  answer.result = engine.generate(work.session, std::move(work.request), callbacks, {draft.get(), work.draft_tokens});
  teller.flush();
  const generation::Result& result = answer.result;
  const bool all_read = result.state_tokens == ended.prompt_tokens + result.ids.size();
  if (!all_read && !result.ids.empty()) answer.unread = result.ids.back();
  answer.session = std::move(work.session);
  ended.answers.push_back(std::move(answer));
  ticket->end(std::move(ended));
}

/// prompt: ids, none to go on from the state.
Handle start_generation(const HostPtr& host, nb::handle prompt, State* state, bool donate, const nb::dict& keywords,
                        bool listen) {
  const auto service = host->service();
  RequestOptions options = read_request(keywords, Runner::model, service->engine());
  generation::Request& request = options.submission.request;
  request.prompt = read_ids("prompt", prompt);
  if (options.constraint) {
    const nb::gil_scoped_release unlocked;
    request.constraint = service->engine().constraint(*options.constraint);
  }
  if (request.prompt.empty()) {
    if (state == nullptr) {
      fail(ErrorCode::invalid_argument, "prompt", "expected a prompt or a state to go on from but got neither");
    }
    resume(request, state->session(), options.own_seed);
  }
  validate(request, service->model());
  const auto ticket = host->new_ticket();
  Generation work{begin(host, state, donate), std::move(request),   options.draft,
                  options.draft_tokens,       host->load_options(), listen};
  host->call([work = std::move(work), guard = TicketGuard(ticket), ticket](engine::Engine& engine) mutable {
    try {
      generate(engine, work, ticket);
    } catch (...) {
      ticket->fail(std::current_exception());
    }
  });
  return Handle(host, ticket);
}

nb::object embed(const HostPtr& host, nb::handle tokens, const std::string& pooling, bool normalize) {
  if (pooling != "mean" && pooling != "last") {
    fail(ErrorCode::invalid_argument, "pooling", "expected \"mean\" or \"last\" but got \"", pooling, "\"");
  }
  const engine::EmbedOptions options{pooling == "last" ? engine::Pooling::last : engine::Pooling::mean, normalize};
  return to_numpy(wait(engine::embed(*host->service(), read_ids("tokens", tokens), options)));
}

nb::tuple perplexity(const HostPtr& host, nb::handle tokens, nb::object progress) {
  const engine::Perplexity found = wait_with_progress(
      *host, std::move(progress),
      [ids = read_ids("tokens", tokens)](engine::Engine& engine, Progress& counted, const std::atomic<bool>& cancel) {
        generation::Callbacks callbacks;
        callbacks.cancel = &cancel;
        callbacks.on_prefill = [&](std::size_t done, std::size_t total) {
          counted.total = total;
          counted.done = done;
        };
        return engine.perplexity(ids, callbacks);
      });
  return nb::make_tuple(found.tokens, found.nll_per_token, found.perplexity);
}

}  // namespace

void bind_model(EngineClass& engine) {
  engine
      .def(
          "new_state", [](const HostPtr& host) { return State(host, begin(host, nullptr, false)); },
          "A State that has read nothing.")
      .def("prefill", prefill, nb::arg("tokens"), nb::arg("state").none(), nb::arg("donate"),
           nb::arg("progress").none(),
           nb::sig(
               "def prefill(self, tokens: collections.abc.Sequence[int], state: State | None, donate: bool, progress: "
               "collections.abc.Callable[[int, int], object] | None) -> tuple[numpy.ndarray, State]"),
           "Reads tokens; logits [vocab_size] after the last.")
      .def("step", step, nb::arg("token"), nb::arg("state"), nb::arg("donate"),
           nb::sig("def step(self, token: int, state: State, donate: bool) -> tuple[numpy.ndarray, State]"),
           "Reads one token; logits [vocab_size] after it.")
      .def("load_state", load_state, nb::arg("path"),
           nb::sig("def load_state(self, path: str | os.PathLike[str]) -> State"), "Reads a state file.")
      .def("generate", start_generation, nb::arg("prompt"), nb::arg("state").none(), nb::arg("donate"),
           nb::arg("options"), nb::arg("listen"),
           nb::sig(
               "def generate(self, prompt: collections.abc.Sequence[int], state: State | None, donate: bool, options: "
               "dict[str, object], listen: bool) -> Handle"),
           "Begins to generate; without listen the handle has no events.")
      .def("embed", embed, nb::arg("tokens"), nb::arg("pooling"), nb::arg("normalize"),
           nb::sig("def embed(self, tokens: collections.abc.Sequence[int], pooling: str, normalize: bool) -> "
                   "numpy.ndarray"),
           "float32 [embedding_dim].")
      .def("perplexity", perplexity, nb::arg("tokens"), nb::arg("progress").none(),
           nb::sig("def perplexity(self, tokens: collections.abc.Sequence[int], progress: "
                   "collections.abc.Callable[[int, int], object] | None) -> tuple[int, float, float]"),
           "Tokens read, mean negative log-likelihood in nats, its exponential.");
}

}  // namespace xlstm::python
