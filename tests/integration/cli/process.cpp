#include "tests/integration/cli/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <tuple>

namespace xlstm::cli_test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{240};

struct Pipe {
  int read_end = -1, write_end = -1;
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    read_end = ends[0];
    write_end = ends[1];
  }
};

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

[[noreturn]] void execute(const Arguments& arguments, const Environment& environment) {
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  execv(argv[0], argv.data());
  _exit(127);
}

}  // namespace

Process::Process(const Arguments& arguments, const Environment& environment, bool terminal, const std::string& output,
                 int closed) {
  Arguments command{XLSTM_BINARY_DIR "/bin/xlstm"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  if (terminal) {
    pid_ = forkpty(&out_, nullptr, nullptr, nullptr);
    if (pid_ == 0) execute(command, environment);
    in_ = ::dup(out_);
    return;
  }
  Pipe in, out, err;
  pid_ = fork();
  if (pid_ == 0) {
    dup2(in.read_end, STDIN_FILENO);
    dup2(output.empty() ? out.write_end : ::open(output.c_str(), O_WRONLY), STDOUT_FILENO);
    dup2(err.write_end, STDERR_FILENO);
    if (closed >= 0) ::close(closed);
    execute(command, environment);
  }
  close_fd(in.read_end);
  close_fd(out.write_end);
  close_fd(err.write_end);
  in_ = in.write_end;
  out_ = out.read_end;
  err_ = err.read_end;
  fcntl(in_, F_SETFL, O_NONBLOCK);
}

Process::~Process() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close_fd(in_);
  close_fd(out_);
  close_fd(err_);
}

void Process::write(std::string_view text) {
  const auto deadline = Clock::now() + kPatience;
  while (!text.empty() && Clock::now() < deadline) {
    const ssize_t count = ::write(in_, text.data(), text.size());
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
    if (count < 0 && errno != EAGAIN) return;  // the program no longer reads: its exit code will tell
    if (!text.empty()) read_some(Clock::now() + std::chrono::milliseconds(10));
  }
}

void Process::close_input() { close_fd(in_); }
void Process::close_output() { close_fd(out_); }
void Process::send_signal(int signal) { kill(pid_, signal); }

bool Process::read_some(Clock::time_point deadline) {
  std::array<pollfd, 2> fds{pollfd{out_, POLLIN, 0}, pollfd{err_, POLLIN, 0}};
  if (out_ < 0 && err_ < 0) return false;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  if (left <= 0 || poll(fds.data(), fds.size(), static_cast<int>(left)) <= 0) return false;
  char buffer[4096];
  for (auto [fd, text, polled] : {std::tuple(&out_, &out_text_, fds[0]), std::tuple(&err_, &err_text_, fds[1])}) {
    if (*fd < 0 || polled.revents == 0) continue;
    const ssize_t count = ::read(*fd, buffer, sizeof buffer);
    if (count > 0) text->append(buffer, static_cast<std::size_t>(count));
    if (count > 0) continue;
    termios mode{};
    echoes_ = tcgetattr(*fd, &mode) == 0 && (mode.c_lflag & ECHO) != 0;
    close_fd(*fd);  // the end; a pseudo-terminal gives EIO
  }
  return true;
}

bool Process::wait_for_output(std::string_view text) {
  const auto deadline = Clock::now() + kPatience;
  std::size_t found;
  while ((found = out_text_.find(text, seen_)) == std::string::npos) {
    if (!read_some(deadline)) return false;
  }
  seen_ = found + text.size();
  return true;
}

bool Process::wait_for_error(std::string_view text) {
  const auto deadline = Clock::now() + kPatience;
  while (err_text_.find(text) == std::string::npos) {
    if (!read_some(deadline)) return false;
  }
  return true;
}

Outcome Process::finish() {
  close_fd(in_);
  const auto deadline = Clock::now() + kPatience;
  while (read_some(deadline)) {
  }
  if (Clock::now() >= deadline) kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), out_text_, err_text_, echoes_};
}

Outcome run(const Arguments& arguments, const std::string& input, const Environment& environment,
            const std::string& output, int closed) {
  Process process(arguments, environment, false, output, closed);
  process.write(input);
  return process.finish();
}

std::string bard() { return XLSTM_SOURCE_DIR "/models/bard-8m"; }
std::string bytes_mixed() { return XLSTM_SOURCE_DIR "/tests/data/bytes-mixed-1.5m"; }
std::filesystem::path test_data() { return XLSTM_SOURCE_DIR "/tests/data"; }

void expect_refused(const Outcome& outcome, int exit_code, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_TRUE(outcome.err.starts_with("xlstm: error: [")) << outcome.err;
  EXPECT_TRUE(outcome.err.ends_with("\n")) << outcome.err;
  for (const std::string& part : parts) EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err << part;
}

nlohmann::json json_of(const Outcome& outcome) {
  nlohmann::json json = nlohmann::json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(json.is_discarded()) << outcome.out << outcome.err;
  return json;
}

ScratchDirectory::ScratchDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "xlstm-cli-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
  path_ = name;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace xlstm::cli_test
