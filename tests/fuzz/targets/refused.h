// What every fuzz target demands: an input is accepted, or refused by an Error with a one-line message that blames the
// input.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "xlstm/base/error.h"

namespace xlstm::fuzz {

template <class F>
void accept_or_refuse(F&& read) {
  try {
    read();
  } catch (const Error& error) {
    const std::string message = error.what();
    const bool one_line =
        std::none_of(message.begin(), message.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (one_line && error.code() != ErrorCode::internal) return;
    std::fprintf(stderr, "bad refusal: %s\n", message.c_str());
    std::abort();
  }
}

}  // namespace xlstm::fuzz
