// Encodes documents with a tokenizer.json and tells how fast: compare.py runs it beside Hugging Face `tokenizers`.
//
//   encode_bench TOKENIZER.json DOCUMENTS [--ids]
//
// DOCUMENTS: one JSON string a line. Each document is encoded once, on one thread; loading is outside the clock.
// With --ids, one JSON array of ids a line is written instead of the report.

#include <chrono>
#include <exception>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "xlstm/tokenizer/tokenizer.h"

namespace {

using xlstm::tokenizer::Tokenizer;

std::vector<std::string> read_documents(const char* path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(std::string("cannot read ") + path);
  std::vector<std::string> documents;
  for (std::string line; std::getline(file, line);) documents.push_back(nlohmann::json::parse(line).get<std::string>());
  return documents;
}

void print_ids(const Tokenizer& tokenizer, const std::vector<std::string>& documents) {
  for (const std::string& document : documents) std::cout << nlohmann::json(tokenizer.encode(document)).dump() << '\n';
}

void report(const Tokenizer& tokenizer, const std::vector<std::string>& documents) {
  std::size_t bytes = 0;
  std::size_t tokens = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (const std::string& document : documents) {
    tokens += tokenizer.encode(document).size();
    bytes += document.size();
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::cout << nlohmann::json{{"documents", documents.size()},
                              {"bytes", bytes},
                              {"tokens", tokens},
                              {"seconds", seconds.count()},
                              {"tokens_per_second", static_cast<double>(tokens) / seconds.count()}}
                   .dump()
            << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  const bool ids = argc == 4 && std::string(argv[3]) == "--ids";
  if (argc != 3 && !ids) {
    std::cerr << "usage: encode_bench TOKENIZER.json DOCUMENTS [--ids]\n";
    return 2;
  }
  try {
    const auto tokenizer = xlstm::tokenizer::load_tokenizer(argv[1]);
    const auto documents = read_documents(argv[2]);
    ids ? print_ids(*tokenizer, documents) : report(*tokenizer, documents);
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 3;
  }
  return 0;
}
