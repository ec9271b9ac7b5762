#include "apps/server/api/items.h"

#include "apps/server/api/json_text.h"

namespace xlstm::server::api {

void ItemBuilder::open(bool call, const std::string& name) {
  close();
  items_.push_back({call, make_id(""), name, ""});
  open_ = true;
  if (listener_ != nullptr) listener_->on_open(items_.size() - 1, items_.back());
}

void ItemBuilder::add(std::string_view text) {
  Item& item = items_.back();
  item.content += text;
  if (listener_ != nullptr && !text.empty()) listener_->on_delta(items_.size() - 1, item, text);
}

void ItemBuilder::close() {
  if (!open_) return;
  open_ = false;
  if (listener_ != nullptr) listener_->on_close(items_.size() - 1, items_.back());
}

void ItemBuilder::take(const std::vector<AnswerPart>& parts) {
  for (const AnswerPart& part : parts) {
    if (part.kind == AnswerPart::Kind::call) {
      open(/*call=*/true, part.text);
      continue;
    }
    const bool arguments = part.kind == AnswerPart::Kind::arguments;
    if (!arguments && (!open_ || items_.back().call)) open(/*call=*/false, "");
    add(part.text);
  }
}

void ItemBuilder::push(std::string_view text) {
  if (text.empty()) return;
  if (may_call_) return take(parser_.push(text));
  take({{AnswerPart::Kind::content, std::string(text)}});
}

void ItemBuilder::finish() {
  if (may_call_) take(parser_.finish());
  if (items_.empty()) open(/*call=*/false, "");
  close();
}

Json ItemBuilder::message() const {
  Json made{{"role", "assistant"}, {"content", ""}};
  for (const Item& item : items_) {
    if (!item.call) {
      made["content"].get_ref<std::string&>() += item.content;
      continue;
    }
    const Json arguments = Json::parse(item.content, nullptr, /*allow_exceptions=*/false);
    made["tool_calls"].push_back(
        {{"type", "function"},
         {"id", "call_" + item.id},
         {"function", {{"name", item.name}, {"arguments", arguments.is_object() ? arguments : Json(item.content)}}}});
  }
  return made;
}

}  // namespace xlstm::server::api
