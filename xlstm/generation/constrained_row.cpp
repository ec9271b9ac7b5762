#include "xlstm/generation/constrained_row.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "xlstm/base/error.h"
#include "xlstm/sampling/softmax.h"
#include "xlstm/text/grammar/token_bits.h"

namespace xlstm::generation {
namespace {

constexpr std::size_t kWordBits = 32;

void forbid(std::span<std::uint32_t> bits, TokenId id) {
  const auto i = static_cast<std::size_t>(id);
  if (id >= 0 && i / kWordBits < bits.size()) bits[i / kWordBits] &= ~(std::uint32_t{1} << (i % kWordBits));
}

}  // namespace

ConstrainedRow::ConstrainedRow(std::shared_ptr<const text::grammar::TokenMasks> masks,
                               const tokenizer::Tokenizer& tokenizer, std::vector<TokenId> stop_ids)
    : matcher_(masks), stop_ids_(std::move(stop_ids)), mask_(masks->vocabulary().num_mask_words()) {
  if (masks->vocabulary().size() == tokenizer.vocab_size()) return;
  fail(ErrorCode::invalid_argument, "constraint", "expected masks of the tokenizer's ", tokenizer.vocab_size(),
       " ids but got those of ", masks->vocabulary().size());
}

bool ConstrainedRow::is_stop(TokenId id) const {
  return std::find(stop_ids_.begin(), stop_ids_.end(), id) != stop_ids_.end();
}

void ConstrainedRow::replay(std::span<const TokenId> ids) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!over() && (is_stop(ids[i]) ? matcher_.can_end() : matcher_.allows(ids[i]))) {
      accept(ids[i]);
      continue;
    }
    fail(ErrorCode::invalid_argument, "constraint", "expected the ", ids.size(),
         " tokens drawn before to begin a text that it allows but got id ", ids[i], " as number ", i + 1);
  }
}

std::span<const float> ConstrainedRow::masked(std::span<const float> logits, std::size_t limit,
                                              std::span<const std::pair<TokenId, float>> logit_bias) {
  matcher_.fill_mask(mask_);
  for (const TokenId id : stop_ids_) {
    forbid(mask_, id);
    const bool known = id >= 0 && static_cast<std::size_t>(id) < limit;
    if (known && matcher_.can_end()) text::grammar::allow(mask_, id);
  }
  if (!any_left(limit, logit_bias)) {
    fail(ErrorCode::invalid_argument, "constraint", "expected a token that may come next but the vocabulary has none",
         logit_bias.empty() ? "" : " that is not banned");
  }
  sampling::checked_max(logits);  // a NaN would hide behind the mask
  row_.assign(logits.begin(), logits.end());
  text::grammar::apply_mask(row_, mask_);
  return row_;
}

/// Whether an id below `limit` is in the mask and not banned.
bool ConstrainedRow::any_left(std::size_t limit, std::span<const std::pair<TokenId, float>> logit_bias) const {
  const auto banned = [&](std::size_t id) {
    return std::any_of(logit_bias.begin(), logit_bias.end(), [&](const auto& bias) {
      return static_cast<std::size_t>(bias.first) == id && std::isinf(bias.second);
    });
  };
  for (std::size_t word = 0; word < mask_.size(); ++word) {
    for (std::uint32_t left = mask_[word]; left != 0; left &= left - 1) {
      const std::size_t id = word * kWordBits + static_cast<std::size_t>(std::countr_zero(left));
      if (id >= limit) return false;
      if (!banned(id)) return true;
    }
  }
  return false;
}

void ConstrainedRow::accept(TokenId id) {
  if (is_stop(id)) {
    stopped_ = true;
  } else {
    matcher_.accept(id);
  }
}

}  // namespace xlstm::generation
