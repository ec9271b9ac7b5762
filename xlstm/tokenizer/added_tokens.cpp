#include "xlstm/tokenizer/added_tokens.h"

#include <algorithm>

#include "xlstm/tokenizer/char_class.h"

namespace xlstm::tokenizer {
namespace {

std::size_t pair_index(char first, char second) {
  return static_cast<std::size_t>(static_cast<unsigned char>(first)) << 8 | static_cast<unsigned char>(second);
}

/// True when no word character touches [begin, end) of the text.
bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const char* const data = text.data();
  if (begin > 0 && is_word_character(read_utf8_backward(data, data + begin).code)) return false;
  return end == text.size() || !is_word_character(read_utf8(data + end, data + text.size()).code);
}

std::size_t skip_space_backward(std::string_view text, std::size_t end, std::size_t limit) {
  while (end > limit) {
    const Utf8Char last = read_utf8_backward(text.data(), text.data() + end);
    if (!is_white_space(last.code)) break;
    end -= static_cast<std::size_t>(last.size);
  }
  return end;
}

std::size_t skip_space(std::string_view text, std::size_t begin) {
  while (begin < text.size()) {
    const Utf8Char next = read_utf8(text.data() + begin, text.data() + text.size());
    if (!is_white_space(next.code)) break;
    begin += static_cast<std::size_t>(next.size);
  }
  return begin;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(), [](const auto& a, const auto& b) { return a.content < b.content; });
  for (const AddedToken& token : tokens_) {
    if (token.content.size() > 1) {
      opens_.set(pair_index(token.content[0], token.content[1]));
    } else {
      for (int second = 0; second < 256; ++second) opens_.set(pair_index(token.content[0], static_cast<char>(second)));
    }
  }
}

/// Narrows the sorted tokens byte by byte to those that the text at `at` opens with.
const AddedToken* AddedTokenMatcher::longest_match(std::string_view text, std::size_t at) const {
  const AddedToken* best = nullptr;
  auto first = tokens_.begin();
  auto last = tokens_.end();
  for (std::size_t depth = 0; at + depth < text.size() && first != last; ++depth) {
    const auto byte = static_cast<unsigned char>(text[at + depth]);
    const auto byte_of = [depth](const AddedToken& token) { return static_cast<unsigned char>(token.content[depth]); };
    first = std::partition_point(first, last, [&](const auto& token) { return byte_of(token) < byte; });
    last = std::partition_point(first, last, [&](const auto& token) { return byte_of(token) == byte; });
    if (first != last && first->content.size() == depth + 1) best = &*first++;  // the shortest of them sorts first
  }
  return best;
}

std::vector<Span> AddedTokenMatcher::split(std::string_view text) const {
  std::vector<Span> spans;
  std::size_t done =
      0;  // may move back: a token found inside the space that rstrip took counts again, as it does there
  const auto add_gap = [&](std::size_t end) {
    if (done < end) spans.push_back({-1, text.substr(done, end - done)});
  };
  std::size_t space_begin = 0;  // white space seen last, so that a run of it is walked once, not once a token
  std::size_t space_end = 0;
  for (std::size_t at = 0; at < text.size() && !tokens_.empty();) {
    const AddedToken* token = nullptr;
    if (opens_[pair_index(text[at], at + 1 < text.size() ? text[at + 1] : '\0')] || at + 1 == text.size()) {
      token = longest_match(text, at);
    }
    if (token == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at;
    std::size_t end = at += token->content.size();
    if (token->single_word && !stands_alone(text, begin, end)) continue;
    if (token->lstrip) begin = done < begin ? skip_space_backward(text, begin, done) : done;
    if (token->rstrip) {
      if (end < space_begin || end > space_end) space_end = skip_space(text, space_begin = end);
      end = space_end;
    }
    add_gap(begin);
    if (begin < end) spans.push_back({token->id, text.substr(begin, end - begin)});  // else all of it is taken already
    done = end;
  }
  add_gap(text.size());
  return spans;
}

}  // namespace xlstm::tokenizer
