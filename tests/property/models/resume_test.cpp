// A generation that is stopped anywhere, saved, and taken up by another engine says what it would have said unbroken.
#include <unistd.h>

#include <string>

#include "tests/property/models/models.h"
#include "xlstm/engine/engine.h"

namespace xlstm::property {
namespace {

class ResumeLaw : public ModelLaw {
 protected:
  std::unique_ptr<engine::Engine> load(int threads) const {
    engine::LoadOptions options;
    options.model = std::filesystem::path(XLSTM_SOURCE_DIR) / GetParam().model;
    options.num_threads = threads;
    options.state_dtype = GetParam().state_dtype;
    return engine::Engine::load(options);
  }

  generation::Request request(std::size_t max_tokens, bool greedy) {
    generation::Request request;
    request.max_tokens = static_cast<std::int64_t>(max_tokens);
    request.resumable = true;
    request.sampling.temperature = greedy ? 0.0f : 0.9f;
    request.sampling.repetition_penalty = 1.1f;
    request.sampling.presence_penalty = 0.2f;
    request.sampling.penalty_window = 12;
    return request;
  }

  const std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("xlstm_resume_law_" + std::to_string(getpid()));
};

TEST_P(ResumeLaw, StoppedSavedAndRestoredEqualsUnbroken) {
  const auto first = load(2), second = load(1);
  for (int round = 0; round < 6; ++round) {
    const std::vector<TokenId> prompt = text(choices_.between(1, 300));
    const std::size_t all = choices_.between(1, 24), cut = choices_.between(0, all), seed = choices_.between(0, 1000);
    const bool greedy = round % 2 == 0;
    SCOPED_TRACE(std::to_string(prompt.size()) + " tokens read, then " + std::to_string(cut) + " of " +
                 std::to_string(all) + ", seed " + std::to_string(seed));
    engine::Session unbroken = first->new_session();
    generation::Request whole = request(all, greedy);
    whole.prompt = prompt;
    whole.sampling.seed = seed;
    const generation::Result expected = first->generate(unbroken, whole);

    engine::Session session = first->new_session();
    whole.max_tokens = static_cast<std::int64_t>(cut);
    const generation::Result begun = first->generate(session, whole);
    first->save(session, path_, {round % 3 == 0 ? std::optional<int>(1) : std::nullopt});
    engine::Session restored = second->restore(path_);
    std::filesystem::remove(path_);
    EXPECT_EQ(restored.ids(), session.ids());
    EXPECT_EQ(restored.sampler(), session.sampler());
    generation::Request rest = request(all - cut, greedy);
    restored.resume(rest);
    const generation::Result resumed = second->generate(restored, rest);

    std::vector<TokenId> ids = begun.ids;
    ids.insert(ids.end(), resumed.ids.begin(), resumed.ids.end());
    EXPECT_EQ(ids, expected.ids);
    EXPECT_EQ(begun.text + resumed.text, expected.text);
    EXPECT_EQ(restored.ids(), unbroken.ids());
    EXPECT_EQ(restored.sampler(), unbroken.sampler());
    EXPECT_TRUE(parity::same_bits(restored.logits(), unbroken.logits()));
    EXPECT_TRUE(parity::same_bits(slot_of(restored.state(), *model_), slot_of(unbroken.state(), *model_)));
  }
}

/// aligned() says that one prefill of all ids from a fresh state gives the same bits; so it must.
TEST_P(ResumeLaw, AnAlignedSessionHasTheBitsOfOnePrefill) {
  const auto engine = load(2);
  const std::size_t segment = engine->backend().prefill_segment();
  for (const std::size_t cut : {segment, 2 * segment, segment - 1, segment + 1}) {
    const std::vector<TokenId> ids = text(2 * segment + 30);
    engine::Session whole = engine->new_session(), begun = engine->new_session();
    engine->prefill(whole, ids);
    engine->prefill(begun, std::span(ids).first(cut));
    EXPECT_TRUE(begun.aligned());
    engine->save(begun, path_);
    engine::Session restored = engine->restore(path_);
    std::filesystem::remove(path_);
    engine->prefill(restored, std::span(ids).subspan(cut));
    EXPECT_EQ(restored.aligned(), cut % segment == 0) << cut;
    if (!restored.aligned()) continue;
    EXPECT_TRUE(parity::same_bits(restored.logits(), whole.logits())) << cut;
    EXPECT_TRUE(parity::same_bits(slot_of(restored.state(), *model_), slot_of(whole.state(), *model_))) << cut;
  }
}

XLSTM_FOR_BOTH_MODELS_AND_STATES(ResumeLaw);

}  // namespace
}  // namespace xlstm::property
