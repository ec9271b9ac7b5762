// What requests of the service can ask for beside tokens, on the demo model, through plain calls of its engine.
#include <gtest/gtest.h>

#include "tests/unit/generation/reference_beam_search.h"
#include "xlstm/engine/service.h"

namespace xlstm::engine {
namespace {

TEST(ServiceGeneration, BeamsEqualAPlainSearchThroughTheEngine) {
  LoadOptions options;
  options.num_threads = 1;
  const auto engine = Engine::load(options);
  const auto service = Service::start([&] { return Engine::load(options); }, {});
  for (const double length_penalty : {1.0, 0.0}) {
    Submission made;
    made.request.prompt = engine->encode("In the beginning", true);
    made.request.max_tokens = 12;
    made.request.min_tokens = 2;
    made.request.sampling.temperature = 0;
    made.request.stop_ids = engine->encode(" .,;", false);
    made.beams = {3, length_penalty, generation::EarlyStopping::no};
    made.num_samples = 3;

    Session session = engine->new_session();
    std::vector<float> logits = engine->prefill(session, made.request.prompt);
    const std::size_t limit = engine->tokenizer().vocab_size();
    ASSERT_GE(limit, logits.size()) << "the reference knows no padding";
    const auto expected = generation::reference_beam_search(
        std::move(session), std::move(logits), [](const Session& from) { return from.fork(); },
        [&](Session& of, TokenId id) { return engine->step(of, id); }, made.request, made.beams);

    std::future<Outcome> other = service->run([&] {
      Submission beside;
      beside.request.prompt = engine->encode("HAMLET.", true);
      beside.request.max_tokens = 20;
      return beside;
    }());
    const Outcome found = service->run(made).get();
    other.get();
    ASSERT_EQ(found.samples.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(found.samples[i].result.ids, expected[i].ids);
      EXPECT_NEAR(found.samples[i].score, expected[i].score, 1e-4);
    }
  }
}

TEST(ServiceGeneration, ScoresEqualAllLogits) {
  LoadOptions options;
  options.num_threads = 1;
  const auto engine = Engine::load(options);
  const auto service = Service::start([&] { return Engine::load(options); }, {});
  std::string text;
  while (text.size() < 2400) text += "And God said, Let there be light: and there was light. ";
  Submission made;
  made.request.prompt = engine->encode(text, true);
  const std::vector<TokenId> ids = made.request.prompt;
  ASSERT_GT(ids.size(), 2 * engine->backend().prefill_segment()) << "one piece";
  made.request.max_tokens = 0;
  made.prompt_logprobs = 0;
  Session session = engine->new_session();
  const std::vector<float> logits = engine->all_logits(session, ids);
  const std::size_t vocab = logits.size() / ids.size();
  const Outcome found = service->run(made).get();
  ASSERT_EQ(found.prompt_logprobs.size(), ids.size());
  for (std::size_t i = 1; i < ids.size(); ++i) {
    EXPECT_EQ(found.prompt_logprobs[i].value().logprob,
              generation::token_log_probs(std::span(logits).subspan((i - 1) * vocab, vocab), ids[i], 0).logprob);
  }
}

}  // namespace
}  // namespace xlstm::engine
