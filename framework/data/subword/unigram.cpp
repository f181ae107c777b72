#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/subword/model_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"

namespace temper::data::subword {

namespace {

/// A score as Hugging Face's reader rounds it: its digits as one whole number, then divided by a power of ten. That may
/// be the double beside the nearest one, which decides between ways of equal score.
double read_score(const JsonNode& number) {
  const std::string text = number.digits();
  std::uint64_t digits = 0;
  int exponent = 0, significant = 0;
  bool fraction = false;
  std::size_t i = text.starts_with('-') ? 1 : 0;
  for (; i < text.size() && text[i] != 'e'; ++i) {
    if (text[i] == '.') {
      fraction = true;
      continue;
    }
    digits = digits * 10 + static_cast<std::uint64_t>(text[i] - '0');
    exponent -= fraction ? 1 : 0;
    significant += digits > 0 ? 1 : 0;
  }
  if (i < text.size()) exponent += std::atoi(text.c_str() + i + 1);
  const double power = std::pow(10.0, std::abs(exponent));
  const double size = exponent < 0 ? static_cast<double>(digits) / power : static_cast<double>(digits) * power;
  const bool usual = significant < 20 && exponent > -300 && exponent < 300;  // else the digits may not fit
  return usual ? (text.starts_with('-') ? -size : size) : number.real();
}

/// The tokens whose probabilities have the largest product. Source: Kudo, "Subword regularization" (2018).
class Unigram final : public Model {
 public:
  Unigram(const JsonNode& node, const Vocabulary& vocabulary)
      : vocabulary_(vocabulary), trie_(entries(vocabulary)), byte_fallback_(node.flag("byte_fallback", false)) {
    constexpr double penalty = 10.0;
    double least = std::numeric_limits<double>::infinity();
    node.at("vocab").each([&](const JsonNode& entry) {
      scores_.push_back(read_score(entry.item(1)));
      least = std::min(least, scores_.back());
    });
    unknown_score_ = least - penalty;
    if (const auto unknown = node.find("unk_id")) {
      if (unknown->number() >= scores_.size()) {
        fail<FileError>("{} is {} of {} tokens", unknown->place(), unknown->number(), scores_.size());
      }
      unknown_ = static_cast<Id>(unknown->number());
    }
  }

  void encode(std::string_view piece, std::vector<Id>& out, Workspace& workspace) const override {
    constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();
    auto& ways = workspace.ways;  // to the end of each beginning of the piece
    ways.assign(piece.size() + 1, {0.0, nowhere, no_id});
    const auto offer = [&](std::size_t begin, std::size_t end, Id id, double score) {
      const double total = ways[begin].score + score;
      if (ways[end].begin == nowhere || total > ways[end].score) ways[end] = {total, begin, id};
    };
    for (std::size_t begin = 0; begin < piece.size();) {
      const std::size_t one = begin + character_at(piece, begin).bytes;
      bool single = false;
      std::uint32_t node = 0;
      for (std::size_t i = begin; i < piece.size(); ++i) {
        node = trie_.step(node, piece[i]);
        if (node == 0) break;
        const Id id = trie_.id(node);
        if (id == no_id) continue;
        offer(begin, i + 1, id, scores_[id]);
        single = single || i + 1 == one;
      }
      if (!single) {
        if (unknown_ == no_id) {
          fail<ValueError>("tokenizer: '{}' is not in the vocabulary, which has no unk_id",
                           temper::detail::printable(piece.substr(begin, one - begin)));
        }
        offer(begin, one, unknown_, unknown_score_);
      }
      begin = one;
    }
    // Backwards: what is unknown becomes one token with what is unknown before it.
    const std::size_t before = out.size();
    for (std::size_t end = piece.size(); end > 0;) {
      std::size_t begin = ways[end].begin;
      if (ways[end].id != unknown_ || unknown_ == no_id) {
        out.push_back(ways[end].id);
      } else {
        while (begin > 0 && ways[begin].id == unknown_) begin = ways[begin].begin;
        add_unknown(piece.substr(begin, end - begin), out);
      }
      end = begin;
    }
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
  }

  Id unknown() const override { return unknown_; }

 private:
  /// Appends, in reverse order, the tokens of a text none of whose characters is a token.
  void add_unknown(std::string_view text, std::vector<Id>& out) const {
    if (const Id whole = vocabulary_.find(text); whole != no_id) {
      out.push_back(whole);
      return;
    }
    const std::size_t before = out.size();
    if (byte_fallback_) {
      for (std::size_t i = text.size(); i-- > 0;) {
        const auto token = byte_token(static_cast<unsigned char>(text[i]));
        out.push_back(vocabulary_.find({token.data(), token.size()}));
      }
      if (std::find(out.begin() + static_cast<std::ptrdiff_t>(before), out.end(), no_id) == out.end()) return;
      out.resize(before);
    }
    out.push_back(unknown_);
  }

  const Vocabulary& vocabulary_;
  Trie trie_;
  std::vector<double> scores_;
  double unknown_score_ = 0.0;
  Id unknown_ = no_id;
  bool byte_fallback_;
};

}  // namespace

std::unique_ptr<const Model> read_unigram(const JsonNode& node, const Vocabulary& vocabulary) {
  return std::make_unique<Unigram>(node, vocabulary);
}

}  // namespace temper::data::subword
