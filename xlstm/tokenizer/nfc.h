// Unicode normalization form C.
#pragma once

#include <string>
#include <string_view>

namespace xlstm::tokenizer {

/// NFC of `text` by utf8proc's Unicode version; ill-formed bytes stay as they are and normalise nothing across them.
/// Returns a view of `text` when it is in NFC already, else of `storage`. Time n log n at worst, memory linear.
std::string_view to_nfc(std::string_view text, std::string& storage);

}  // namespace xlstm::tokenizer
