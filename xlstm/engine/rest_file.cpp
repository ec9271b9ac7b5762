#include "xlstm/engine/rest_file.h"

#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/scheduler/state_pool.h"

namespace xlstm::engine {

using scheduler::Path;

void save_rest(Engine& engine, const scheduler::Submission& rest, const std::filesystem::path& path) {
  if (!rest.start) {
    fail(ErrorCode::invalid_argument, path.string(),
         "expected a request that has read something but got one that has not");
  }
  const scheduler::Start& start = *rest.start;
  Session::Past past{start.ids, rest.request.logits, std::nullopt, start.snapshot.path != Path::other};
  if (rest.request.prompt.empty()) past.sampler = {rest.request.sampling.seed, rest.request.drawn};
  engine.save(Session(start.snapshot.state.read().clone(), std::move(past)), path);
}

void begin_at(Engine& engine, const Session& session, scheduler::Submission& submission) {
  const Session::Past& past = session.past();
  const std::size_t segment = engine.backend().prefill_segment();
  const Path reached = !past.aligned ? Path::other : past.ids.size() % segment == 0 ? Path::aligned : Path::prompt_end;
  generation::Request& request = submission.request;
  if (request.history.empty()) request.history = past.ids;
  if (request.prompt.empty() && request.logits.empty()) session.resume(request);
  submission.start =
      scheduler::Start{{scheduler::StatePool::adopt(session.state().clone()), past.logits, reached}, past.ids};
}

void load_rest(Engine& engine, const std::filesystem::path& path, scheduler::Submission& submission) {
  const Session session = engine.restore(path);
  if (submission.request.prompt.empty()) session.resume(submission.request);
  begin_at(engine, session, submission);
}

}  // namespace xlstm::engine
