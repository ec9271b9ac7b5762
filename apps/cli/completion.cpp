// xlstm completion: scripts for bash, zsh and fish, made from the command line's own tree of verbs and flags.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "apps/cli/numbers.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/verbs.h"
#include "xlstm/base/error.h"

namespace xlstm::cli {
namespace {

struct Flag {
  std::vector<std::string> names;  // "-m", "--model"
  std::string help;
  std::string value;  // type name: "DIR", "FILE.json", "cpu|mlx", "ngram|DIR", "N", ...; empty: takes no value

  bool wants_directory() const {
    return has([](const std::string& word) { return word == "DIR"; });
  }
  bool wants_file() const {
    return has([](const std::string& word) { return word.starts_with("FILE") || word == "PATH"; });
  }
  /// The words it takes, separated by blanks; empty when they cannot be listed. Capitals stand for something else.
  std::string choices() const {
    std::string words;
    if (value.find('|') == value.npos) return words;
    for (const std::string& word : alternatives()) {
      if (std::none_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
        words += (words.empty() ? "" : " ") + word;
      }
    }
    return words;
  }

 private:
  std::vector<std::string> alternatives() const {
    std::vector<std::string> words;
    std::istringstream stream(value);
    for (std::string word; std::getline(stream, word, '|');) words.push_back(word);
    return words;
  }
  template <class Is>
  bool has(const Is& is) const {
    const std::vector<std::string> words = alternatives();
    return std::any_of(words.begin(), words.end(), is);
  }
};

struct Verb {
  std::string name;
  std::string path;  // "state/save"; the program's is empty
  std::string help;
  std::vector<Flag> flags;
  bool takes_files = false;  // as arguments without a flag
  std::vector<Verb> verbs;   // below it
};

Verb read_tree(const CLI::App& app, const std::string& path) {
  Verb verb{app.get_name(), path, app.get_description(), {}, false, {}};
  for (const CLI::App* below : app.get_subcommands({})) {
    verb.verbs.push_back(read_tree(*below, (path.empty() ? "" : path + "/") + below->get_name()));
  }
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() && option->get_name().starts_with("FILE")) verb.takes_files = true;
    if (!option->nonpositional()) continue;
    Flag flag{{}, option->get_description(), option->get_items_expected_max() > 0 ? option->get_type_name() : ""};
    for (const std::string& name : option->get_snames()) flag.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) flag.names.push_back("--" + name);
    verb.flags.push_back(std::move(flag));
  }
  return verb;
}

/// All verbs below, whatever their depth.
std::vector<const Verb*> flattened(const Verb& app) {
  std::vector<const Verb*> verbs;
  for (const Verb& verb : app.verbs) {
    verbs.push_back(&verb);
    for (const Verb* below : flattened(verb)) verbs.push_back(below);
  }
  return verbs;
}

std::string names_of(const std::vector<Flag>& flags) {
  std::string words;
  for (const Flag& flag : flags) words += fmt::format("{}{}", words.empty() ? "" : " ", fmt::join(flag.names, " "));
  return words;
}

std::string names_of(const std::vector<Verb>& verbs) {
  std::string words;
  for (const Verb& verb : verbs) words += (words.empty() ? "" : " ") + verb.name;
  return words;
}

/// The words that may stand where none of the flags must.
std::string words_of(const Verb& verb) {
  if (verb.name == "completion") return "bash zsh fish " + names_of(verb.flags);
  return (verb.verbs.empty() ? "" : names_of(verb.verbs) + " ") + names_of(verb.flags);
}

std::string bash_value_case(const std::string& verb, const Flag& flag) {
  std::string pattern;
  for (const std::string& name : flag.names) pattern += fmt::format("{}{}:{}", pattern.empty() ? "" : "|", verb, name);
  std::string body;
  if (flag.wants_directory()) body += "COMPREPLY+=($(compgen -d -- \"$cur\")); ";
  if (flag.wants_file()) body += "COMPREPLY+=($(compgen -f -- \"$cur\")); ";
  if (!flag.choices().empty()) body += fmt::format("COMPREPLY+=($(compgen -W \"{}\" -- \"$cur\")); ", flag.choices());
  return fmt::format("    {}) {}return ;;\n", pattern, body);
}

std::string bash_script(const Verb& program) {
  std::string paths, values, flags;
  for (const Verb* verb : flattened(program)) {
    paths += (paths.empty() ? "" : "|") + verb->path;
    for (const Flag& flag : verb->flags) {
      if (!flag.value.empty()) values += bash_value_case(verb->path, flag);
    }
    const char* files = verb->takes_files ? " files=1" : "";
    flags += fmt::format("    {}) words=\"{}\"{} ;;\n", verb->path, words_of(*verb), files);
  }
  return fmt::format(R"(# xlstm completion for bash. Use: source <(xlstm completion bash)
_xlstm() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} verb= word words files=
  COMPREPLY=()
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case ${{verb:+$verb/}}$word in
      {}) verb=${{verb:+$verb/}}$word ;;
    esac
  done
  case $verb:$prev in
{}  esac
  case $verb in
{}    *) words="{}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [ -z "$files" ] || COMPREPLY+=($(compgen -f -- "$cur"))
}}
complete -o filenames -F _xlstm xlstm
)",
                     paths, values, flags, words_of(program));
}

/// In single quotes of zsh and fish; zsh also reads brackets and colons of a description.
std::string quoted(const std::string& text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (special.find(c) != special.npos) out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_flag(const Flag& flag) {
  std::string action = ":" + quoted(flag.value, ":[]\\") + ":";
  if (flag.value.empty()) action = "";
  const std::string files = flag.wants_directory() ? "_files -/" : flag.wants_file() ? "_files" : "";
  if (const std::string words = flag.choices(); words.empty()) {
    action += files;
  } else {
    action += files.empty() ? "(" + words + ")" : "{compadd -- " + words + "; " + files + "}";
  }
  std::string lines;
  for (const std::string& name : flag.names) {
    lines += fmt::format(" \\\n        '*{}[{}]{}'", name, quoted(flag.help, ":[]\\"), action);
  }
  return lines;
}

std::string zsh_case(const Verb& verb);

/// Completes a verb of `app`, then what belongs to it.
std::string zsh_verbs(const Verb& app) {
  std::string names, cases, flags;
  for (const Flag& flag : app.flags) flags += zsh_flag(flag);
  for (const Verb& verb : app.verbs) {
    names += fmt::format("    '{}:{}'\n", verb.name, quoted(verb.help, ":\\"));
    cases += zsh_case(verb);
  }
  return fmt::format(R"(  verbs=(
{}  )
  _arguments -C{} \
        '1:verb:->verb' '*::flag:->flag'
  case $state in
    verb) _describe verb verbs; return ;;
    flag) ;;
    *) return ;;
  esac
  case $line[1] in
{}  esac
)",
                     names, flags, cases);
}

std::string zsh_case(const Verb& verb) {
  if (!verb.verbs.empty()) return fmt::format("    {})\n{}      ;;\n", verb.name, zsh_verbs(verb));
  std::string words = verb.name == "completion" ? " \\\n        '1:shell:(bash zsh fish)'" : "";
  if (verb.takes_files) words += " \\\n        '*:file:_files'";
  for (const Flag& flag : verb.flags) words += zsh_flag(flag);
  return fmt::format("    {})\n      _arguments{} ;;\n", verb.name, words);
}

std::string zsh_script(const Verb& program) {
  return fmt::format(R"(#compdef xlstm
# xlstm completion for zsh. Use: source <(xlstm completion zsh)
_xlstm() {{
  local curcontext=$curcontext state line
  typeset -A opt_args
  local -a verbs
{}}}
if [ "$funcstack[1]" = _xlstm ]; then
  _xlstm "$@"
else
  compdef _xlstm xlstm
fi
)",
                     zsh_verbs(program));
}

std::string fish_flag(const std::string& condition, const Flag& flag) {
  std::string line = "complete -c xlstm -n '" + condition + "'";
  for (const std::string& name : flag.names) {
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (flag.wants_directory()) {
    line += " -x -a '" + flag.choices() + " (__fish_complete_directories)'";
  } else if (flag.wants_file()) {
    line += " -r -F";
  } else if (!flag.choices().empty()) {
    line += " -x -a '" + flag.choices() + "'";
  } else if (!flag.value.empty()) {
    line += " -x";
  }
  return line + " -d '" + quoted(flag.help, "\\") + "'\n";
}

/// True in fish where `verb` is the last verb on the line. `others`: verbs beside the one above it, below which a verb
/// may have the same name.
std::string fish_condition(const Verb& verb, const std::string& above, const std::vector<Verb>& others) {
  std::string condition = (above.empty() ? "" : above + "; and ") + "__fish_seen_subcommand_from " + verb.name;
  for (const Verb& other : others) {
    for (const Verb& below : other.verbs) {
      if (below.name == verb.name) condition += "; and not __fish_seen_subcommand_from " + other.name;
    }
  }
  return condition;
}

std::string fish_verbs(const Verb& app, const std::string& above) {
  std::string script;
  const std::string none_yet =
      above.empty() ? "__fish_use_subcommand" : above + "; and not __fish_seen_subcommand_from " + names_of(app.verbs);
  for (const Verb& verb : app.verbs) {
    script += fmt::format("complete -c xlstm -n '{}' -a {} -d '{}'\n", none_yet, verb.name, quoted(verb.help, "\\"));
    const std::string condition = fish_condition(verb, above, app.verbs);
    if (verb.name == "completion") script += fmt::format("complete -c xlstm -n '{}' -a 'bash zsh fish'\n", condition);
    if (verb.takes_files) script += fmt::format("complete -c xlstm -n '{}' -F\n", condition);
    for (const Flag& flag : verb.flags) script += fish_flag(condition, flag);
    script += fish_verbs(verb, condition);
  }
  return script;
}

std::string fish_script(const Verb& program) {
  std::string script =
      "# xlstm completion for fish. Use: xlstm completion fish | source\n"
      "complete -c xlstm -f\n";
  for (const Flag& flag : program.flags) script += fish_flag("__fish_use_subcommand", flag);
  return script + fish_verbs(program, "");
}

int run(const CLI::App& program, const std::string& shell) {
  const Verb top = read_tree(program, "");
  if (shell == "bash") print(bash_script(top));
  if (shell == "zsh") print(zsh_script(top));
  if (shell == "fish") print(fish_script(top));
  flush_output();
  return 0;
}

}  // namespace

void add_completion(CLI::App& program, Action& action) {
  const auto shell = std::make_shared<std::string>();
  CLI::App& verb = *program.add_subcommand("completion", "Print a script that completes verbs and flags in your shell");
  verb.add_option("SHELL", *shell, "bash, zsh or fish")
      ->type_name("")
      ->check(one_of({"bash", "zsh", "fish"}))
      ->required();
  verb.footer(
      "Examples:\n"
      "  source <(xlstm completion bash)      # or the output in /etc/bash_completion.d/xlstm\n"
      "  xlstm completion zsh > \"${fpath[1]}/_xlstm\"\n"
      "  xlstm completion fish > ~/.config/fish/completions/xlstm.fish");
  verb.final_callback([shell, &program, &action] { action = [shell, &program] { return run(program, *shell); }; });
}

}  // namespace xlstm::cli
