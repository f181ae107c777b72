#include <zlib.h>

#include <temper/core/random.hpp>
#include <temper/train/environment.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/distributed/facts_internal.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper::distributed::detail {

namespace {

std::string checksum(const Tensor& tensor) {
  const auto bytes = temper::detail::bytes_of(tensor);
  return fmt::format("{:08x}", ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace

std::vector<Fact> facts_of(const nn::Module& model, const optim::Optimizer& optimizer) {
  std::vector<Fact> facts;
  for (const auto& [key, value] : environment()) facts.push_back({key, value});
  facts.push_back({"the seed", fmt::format("{}", random_state().seed)});
  // Shapes come before values: another shape explains other values.
  for (const bool values : {false, true}) {
    const auto add = [&](const std::string& name, const Tensor& tensor) {
      if (values) {
        facts.push_back({fmt::format("the checksum of '{}'", name), checksum(tensor)});
      } else {
        facts.push_back({fmt::format("'{}'", name), fmt::format("{} {}", tensor.dtype(), tensor.shape())});
      }
    };
    for (const Parameter& parameter : model.parameters()) add(parameter.name(), parameter.value());
    for (const nn::Buffer& buffer : model.buffers()) add(buffer.name, buffer.tensor);
  }
  facts.push_back({"the optimizer", optimizer.name()});
  facts.push_back({"its number of updates", fmt::format("{}", optimizer.k())});
  for (std::size_t group = 0; group < optimizer.groups().size(); ++group) {
    const auto add = [&](const std::string& option) {
      facts.push_back({fmt::format("{} of group {}", option, group), optimizer.schedule(option, group).text()});
    };
    for (const optim::Hyper& hyper : optimizer.definition().hypers) add(hyper.name);
    add("clip_norm");
    facts.push_back({fmt::format("the number of parameters in group {}", group),
                     fmt::format("{}", optimizer.groups()[group].parameters.size())});
  }
  return facts;
}

}  // namespace temper::distributed::detail
