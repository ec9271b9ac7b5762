// Submissions that begin with a session.
#include "xlstm/engine/rest_file.h"

#include <gtest/gtest.h>

#include "xlstm/base/error.h"
#include "xlstm/engine/service.h"

namespace xlstm::engine {
namespace {

TEST(BeginAt, ASubmissionGoesOnAsTheSessionWould) {
  const auto service = Service::start([] { return Engine::load({}); }, {});
  const auto alone = Engine::load({});
  for (const bool with_prompt : {false, true}) {
    SCOPED_TRACE(with_prompt);
    generation::Request request;
    request.max_tokens = 12;
    if (with_prompt) request.prompt = alone->encode(" and the earth", false);
    Session session = alone->new_session();
    alone->prefill(session, alone->encode("In the beginning God", true));
    Submission submission;
    submission.request = request;
    service
        ->call([&](Engine& engine, scheduler::Scheduler&) {
          Session begun = engine.new_session();
          engine.prefill(begun, engine.encode("In the beginning God", true));
          begin_at(engine, begun, submission);
        })
        .get();
    submission.prompt_logprobs = with_prompt ? 0 : -1;
    const Outcome outcome = service->run(submission).get();
    if (with_prompt) {
      ASSERT_EQ(outcome.prompt_logprobs.size(), request.prompt.size());
      EXPECT_EQ(outcome.prompt_logprobs[0].value().logprob,
                sampling::log_probability(session.logits(), request.prompt[0]));
    }
    if (!with_prompt) session.resume(request);
    EXPECT_EQ(outcome.samples.at(0).result.ids, alone->generate(session, request).ids);
  }
}

TEST(BeginAt, WithoutLogitsAPromptIsNeeded) {
  const auto engine = Engine::load({});
  Submission submission;
  EXPECT_THROW(begin_at(*engine, engine->new_session(), submission), Error);
  submission.request.prompt = {1};
  begin_at(*engine, engine->new_session(), submission);
  EXPECT_TRUE(submission.start.has_value());
}

}  // namespace
}  // namespace xlstm::engine
