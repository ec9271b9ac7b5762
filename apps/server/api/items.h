// An answer as a list of items, texts and calls of tools, as /v1/responses and /v1/messages tell it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "apps/server/api/tools.h"

namespace xlstm::server::api {

struct Item {
  bool call = false;
  std::string id;       // random, without a prefix
  std::string name;     // of a call
  std::string content;  // the text, or a call's arguments as JSON
};

/// Who wants to hear of items as they come.
class ItemListener {
 public:
  virtual ~ItemListener() = default;
  virtual void on_open(std::size_t index, const Item& item) = 0;
  virtual void on_delta(std::size_t index, const Item& item, std::string_view delta) = 0;
  virtual void on_close(std::size_t index, const Item& item) = 0;
};

/// Makes items of a text that comes in pieces.
class ItemBuilder {
 public:
  /// The listener may be null, else it has to outlive it.
  ItemBuilder(const ToolUse& tools, ItemListener* listener)
      : parser_(tools), may_call_(tools.may_call()), listener_(listener) {}

  void push(std::string_view text);
  /// What was held back; an answer without any text is one empty text.
  void finish();
  bool called() const noexcept { return parser_.called(); }
  const std::vector<Item>& items() const noexcept { return items_; }
  /// The answer as a message of a conversation.
  Json message() const;

 private:
  void take(const std::vector<AnswerPart>& parts);
  void open(bool call, const std::string& name);
  void add(std::string_view text);
  void close();

  ToolCallParser parser_;
  bool may_call_;
  ItemListener* listener_;
  bool open_ = false;
  std::vector<Item> items_;
};

}  // namespace xlstm::server::api
