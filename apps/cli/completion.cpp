// xlstm completion: scripts for bash, zsh and fish, made from the command line's own tree of verbs and flags.
#include <fmt/format.h>

#include <memory>
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
  std::string value;  // type name: "DIR", "FILE", "cpu|mlx", "N", ...; empty: takes no value

  bool wants_directory() const { return value == "DIR"; }
  bool wants_file() const { return value == "FILE"; }
  /// The words it takes, separated by blanks; empty when they cannot be listed.
  std::string choices() const {
    if (value.find('|') == value.npos) return "";
    std::string words = value;
    for (char& c : words) c = c == '|' ? ' ' : c;
    return words;
  }
};

struct Verb {
  std::string name;
  std::string help;
  std::vector<Flag> flags;
};

Verb read_tree(const CLI::App& app) {
  Verb verb{app.get_name(), app.get_description(), {}};
  for (const CLI::Option* option : app.get_options()) {
    if (!option->nonpositional()) continue;
    Flag flag{{}, option->get_description(), option->get_items_expected_max() > 0 ? option->get_type_name() : ""};
    for (const std::string& name : option->get_snames()) flag.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) flag.names.push_back("--" + name);
    verb.flags.push_back(std::move(flag));
  }
  return verb;
}

std::vector<Verb> read_verbs(const CLI::App& program) {
  std::vector<Verb> verbs;
  for (const CLI::App* verb : program.get_subcommands({})) verbs.push_back(read_tree(*verb));
  return verbs;
}

std::string names_of(const std::vector<Flag>& flags) {
  std::string words;
  for (const Flag& flag : flags) words += fmt::format("{}{}", words.empty() ? "" : " ", fmt::join(flag.names, " "));
  return words;
}

std::string names_of(const std::vector<Verb>& verbs, char separator) {
  std::string words;
  for (const Verb& verb : verbs) words += (words.empty() ? "" : std::string(1, separator)) + verb.name;
  return words;
}

std::string bash_value_case(const std::string& verb, const Flag& flag) {
  std::string pattern;
  for (const std::string& name : flag.names) pattern += fmt::format("{}{}:{}", pattern.empty() ? "" : "|", verb, name);
  std::string body;
  if (flag.wants_directory()) body = "COMPREPLY=($(compgen -d -- \"$cur\")); ";
  if (flag.wants_file()) body = "COMPREPLY=($(compgen -f -- \"$cur\")); ";
  if (!flag.choices().empty()) body = fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")); ", flag.choices());
  return fmt::format("    {}) {}return ;;\n", pattern, body);
}

std::string bash_script(const Verb& program, const std::vector<Verb>& verbs) {
  std::string values, flags;
  for (const Verb& verb : verbs) {
    for (const Flag& flag : verb.flags) {
      if (!flag.value.empty()) values += bash_value_case(verb.name, flag);
    }
    const std::string words = verb.name == "completion" ? "bash zsh fish " : "";
    flags += fmt::format("    {}) words=\"{}{}\" ;;\n", verb.name, words, names_of(verb.flags));
  }
  return fmt::format(R"(# xlstm completion for bash. Use: source <(xlstm completion bash)
_xlstm() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} verb= word words
  COMPREPLY=()
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in
      {}) verb=$word; break ;;
    esac
  done
  case $verb:$prev in
{}  esac
  case $verb in
{}    *) words="{} {}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o filenames -F _xlstm xlstm
)",
                     names_of(verbs, '|'), values, flags, names_of(verbs, ' '), names_of(program.flags));
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
  if (flag.wants_directory()) action += "_files -/";
  if (flag.wants_file()) action += "_files";
  if (!flag.choices().empty()) action += "(" + flag.choices() + ")";
  std::string lines;
  for (const std::string& name : flag.names) {
    lines += fmt::format(" \\\n        '*{}[{}]{}'", name, quoted(flag.help, ":[]\\"), action);
  }
  return lines;
}

std::string zsh_script(const Verb& program, const std::vector<Verb>& verbs) {
  std::string names, cases, global;
  for (const Flag& flag : program.flags) global += zsh_flag(flag);
  for (const Verb& verb : verbs) {
    names += fmt::format("    '{}:{}'\n", verb.name, quoted(verb.help, ":\\"));
    std::string flags = verb.name == "completion" ? " \\\n        '1:shell:(bash zsh fish)'" : "";
    for (const Flag& flag : verb.flags) flags += zsh_flag(flag);
    cases += fmt::format("    {})\n      _arguments{} ;;\n", verb.name, flags);
  }
  return fmt::format(R"(#compdef xlstm
# xlstm completion for zsh. Use: source <(xlstm completion zsh)
_xlstm() {{
  local curcontext=$curcontext state line
  typeset -A opt_args
  local -a verbs
  verbs=(
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
}}
if [ "$funcstack[1]" = _xlstm ]; then
  _xlstm "$@"
else
  compdef _xlstm xlstm
fi
)",
                     names, global, cases);
}

std::string fish_flag(const std::string& condition, const Flag& flag) {
  std::string line = "complete -c xlstm -n '" + condition + "'";
  for (const std::string& name : flag.names) {
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (flag.wants_directory()) {
    line += " -x -a '(__fish_complete_directories)'";
  } else if (flag.wants_file()) {
    line += " -r -F";
  } else if (!flag.choices().empty()) {
    line += " -x -a '" + flag.choices() + "'";
  } else if (!flag.value.empty()) {
    line += " -x";
  }
  return line + " -d '" + quoted(flag.help, "\\") + "'\n";
}

std::string fish_script(const Verb& program, const std::vector<Verb>& verbs) {
  std::string script =
      "# xlstm completion for fish. Use: xlstm completion fish | source\n"
      "complete -c xlstm -f\n";
  for (const Flag& flag : program.flags) script += fish_flag("__fish_use_subcommand", flag);
  for (const Verb& verb : verbs) {
    script +=
        fmt::format("complete -c xlstm -n __fish_use_subcommand -a {} -d '{}'\n", verb.name, quoted(verb.help, "\\"));
    const std::string condition = "__fish_seen_subcommand_from " + verb.name;
    if (verb.name == "completion") script += fmt::format("complete -c xlstm -n '{}' -a 'bash zsh fish'\n", condition);
    for (const Flag& flag : verb.flags) script += fish_flag(condition, flag);
  }
  return script;
}

int run(const CLI::App& program, const std::string& shell) {
  const Verb top = read_tree(program);
  const std::vector<Verb> verbs = read_verbs(program);
  if (shell == "bash") print(bash_script(top, verbs));
  if (shell == "zsh") print(zsh_script(top, verbs));
  if (shell == "fish") print(fish_script(top, verbs));
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
