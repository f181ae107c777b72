#include <algorithm>
#include <cmath>

#include <temper/models/bert/heads.hpp>
#include <temper/models/import/bert.hpp>
#include <temper/temper.hpp>

#include "tests/exchange/exchange.hpp"

namespace temper::exchange {

double compare_embeddings(const std::filesystem::path& model, const std::filesystem::path& recorded) {
  models::Bert bert(models::read_bert_config(model));
  models::load_bert(model, bert);
  const Tensors tensors = load_tensors(recorded).tensors;
  const Tensor mask = to(tensors.at("mask"), Dtype::boolean);
  const Tensor ours = normalize(models::mean_of_tokens(bert(tensors.at("tokens"), {.mask = mask}), mask));
  return max(abs(ours - tensors.at("embeddings"))).item();
}

}  // namespace temper::exchange
