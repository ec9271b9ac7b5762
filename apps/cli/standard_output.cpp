#include "apps/cli/standard_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>

#include "xlstm/base/error.h"

namespace xlstm::cli {
namespace {

[[noreturn]] void fail_to_write() {
  fail(ErrorCode::internal, "standard output", "expected to write but got: ", std::strerror(errno));
}

[[noreturn]] void fail_to_read(const std::string& name) {
  fail(ErrorCode::not_found, name, "expected a readable file but got: ", std::strerror(errno));
}

}  // namespace

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) fail_to_write();
}

void flush_output() {
  if (std::fflush(stdout) != 0) fail_to_write();
}

void say(const std::string& text) noexcept { std::fputs(text.c_str(), stderr); }

std::string read_text(const std::filesystem::path& path) {
  const bool standard_input = path == "-";
  const std::string name = standard_input ? "standard input" : path.string();
  const auto close = [&](std::FILE* file) { return standard_input ? 0 : std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(standard_input ? stdin : std::fopen(path.c_str(), "rb"),
                                                         close);
  if (!file) fail_to_read(name);

  std::string text;
  char buffer[1 << 16];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) text.append(buffer, count);
  if (std::ferror(file.get())) fail_to_read(name);
  return text;
}

bool read_line(std::string& line) {
  if (std::getline(std::cin, line)) return true;
  if (std::cin.bad() || std::ferror(stdin) != 0) fail_to_read("standard input");
  return false;
}

}  // namespace xlstm::cli
