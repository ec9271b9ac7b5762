#include "apps/cli/exit_codes.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <numeric>
#include <string>
#include <vector>

#include "apps/cli/interrupt.h"
#include "apps/cli/standard_output.h"

namespace xlstm::cli {
namespace {

/// Smallest number of inserted, removed or replaced characters that turns a into b.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

/// " (did you mean 'x'?)" for the nearest of the known words or one that begins so, "" when there is none.
std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const bool begins_it = word.size() >= 3 && candidate.starts_with(word);
    const std::size_t distance = begins_it ? 1 : edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best.empty() ? "" : " (did you mean '" + best + "'?)";
}

std::vector<std::string> verb_names(const CLI::App& program) {
  std::vector<std::string> names;
  for (const CLI::App* verb : program.get_subcommands({})) names.push_back(verb->get_name());
  return names;
}

std::vector<std::string> flag_names(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// "--flag=value" -> "--flag".
std::string flag_of(const std::string& argument) { return argument.substr(0, argument.find('=')); }

/// CLI11's sentences about values and files, in the form of all the others.
std::string in_our_words(const CLI::ParseError& error) {
  std::string text = error.what();
  const auto before = [&](std::string_view end) { return text.substr(0, text.find(end)); };
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    return before(" is required") + ": expected a value but got none";
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return before(":") + (text.find("missing") != text.npos ? ": expected a value but got none"
                                                            : ": expected only once but got it several times");
  }
  if (dynamic_cast<const CLI::FileError*>(&error) != nullptr) {
    return "--config: expected a readable file but got '" + before(" was not readable") + "'";
  }
  const auto after = [&](std::string_view middle) { return text.substr(text.find(middle) + middle.size()); };
  if (dynamic_cast<const CLI::ExcludesError*>(&error) != nullptr) {
    return before(" excludes ") + ": expected no " + after(" excludes ") + " beside it but got both";
  }
  if (dynamic_cast<const CLI::RequiresError*>(&error) != nullptr) {
    return before(" requires ") + ": expected " + after(" requires ") + " beside it but got none";
  }
  constexpr std::string_view kOfConfig = "INI was not able to parse ", kOfSection = ".++";
  if (dynamic_cast<const CLI::ConfigError*>(&error) != nullptr && text.starts_with(kOfConfig)) {
    const std::string item = before(kOfSection).substr(kOfConfig.size());
    return "--config: expected [VERB] and its flags in the file but got '" + item + "'";
  }
  const std::size_t equals = text.find(" = ");
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr && equals != text.npos) {
    const std::size_t name = text.find("--");
    return text.substr(name, equals - name) + ": expected no value, or true or false, but got '" +
           text.substr(equals + 3) + "'";
  }
  return text;
}

/// The last verb on the command line, or the program.
const CLI::App& chosen(const CLI::App& app) {
  const std::vector<const CLI::App*> verbs = app.get_subcommands([](const CLI::App* verb) { return verb->parsed(); });
  return verbs.empty() ? app : chosen(*verbs.front());
}

/// "state save"; "" for the program.
std::string path_of(const CLI::App& app) {
  if (app.get_parent() == nullptr) return "";
  const std::string parent = path_of(*app.get_parent());
  return parent.empty() ? app.get_name() : parent + " " + app.get_name();
}

/// `app`: the last verb, or the program.
std::string describe(const CLI::App& program, const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = program.remaining(true);
  const std::string word = unknown.empty() ? "" : unknown.front();
  const auto flag = [&] {
    const std::string path = path_of(app);
    return "expected a flag of " + (path.empty() ? app.get_name() : path) + " but got '" + word + "'" +
           suggestion(flag_of(word), flag_names(app));
  };
  const std::vector<std::string> verbs = verb_names(app);
  if (!verbs.empty() && !unknown.empty()) {
    if (word.starts_with("-")) return flag();
    const std::string nearest = suggestion(word, verbs);
    return (nearest.empty() ? "expected a verb (" + joined(verbs) + ")" : "expected a verb") + " but got '" + word +
           "'" + nearest;
  }
  if (!verbs.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    return "expected a verb (" + joined(verbs) + ") but got none";
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !unknown.empty()) {
    return word.starts_with("-") ? flag() : "expected no further argument but got '" + word + "'";
  }
  return in_our_words(error);
}

}  // namespace

int exit_code(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::unsupported:
      return kExitUsage;
    case ErrorCode::not_found:
    case ErrorCode::corrupt_file:
      return 3;
    case ErrorCode::overloaded:
      return 4;
    case ErrorCode::cancelled:
      return interrupted_exit_code();
    case ErrorCode::internal:
      return kExitInternal;
  }
  return kExitInternal;
}

void print_error(std::string_view message) {
  std::string line(message);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  std::fprintf(stderr, "xlstm: error: %s\n", line.c_str());
}

int report_errors(const std::function<int()>& f) noexcept {
  try {
    return f();
  } catch (const Error& error) {
    print_error(error.what());
    return exit_code(error.code());
  } catch (const std::bad_alloc&) {
    print_error("[memory] expected enough memory but got none: the system refused an allocation");
    return exit_code(ErrorCode::overloaded);
  } catch (const std::exception& error) {
    print_error(std::string("[internal] ") + error.what());
    return kExitInternal;
  } catch (...) {
    print_error("[internal] an exception of an unknown type");
    return kExitInternal;
  }
}

int report_parse_error(const CLI::App& program, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) {
    const bool help = dynamic_cast<const CLI::CallForHelp*>(&error) != nullptr;
    return report_errors([&] {
      print(help ? program.help() : std::string(error.what()) + "\n");
      flush_output();
      return 0;
    });
  }
  const CLI::App& app = chosen(program);
  const std::string path = path_of(app);
  print_error("[" + (path.empty() ? "command line" : path) + "] " + describe(program, app, error) + "; see 'xlstm" +
              (path.empty() ? "" : " " + path) + " --help'");
  const bool file = dynamic_cast<const CLI::FileError*>(&error) != nullptr;
  return file ? exit_code(ErrorCode::not_found) : kExitUsage;
}

}  // namespace xlstm::cli
