#include "models/study/study.hpp"

namespace temper::study {

using optim::Schedule;

namespace {

using Parameters = std::vector<Parameter>;
using Made = std::unique_ptr<optim::Optimizer>;
// Some rates are too high on purpose: a run that overflows then skips its updates instead of ending the program.
constexpr auto overflow = optim::NonFinite::skip;

}  // namespace

Recipe sgd() {
  return {"SGD", 0.05, 0.5, 0.7, 1e-4, [](const Parameters& all, const Schedule& lr, double decay) -> Made {
            return std::make_unique<optim::SGD>(all, optim::SGDOptions{.lr = lr, .l2 = decay, .nonfinite = overflow});
          }};
}

Recipe compensated_sgd() {
  Recipe recipe = sgd();
  recipe.name = "SGD, compensated";
  recipe.make = [](const Parameters& all, const Schedule& lr, double decay) -> Made {
    return std::make_unique<optim::SGD>(
        all, optim::SGDOptions{.lr = lr, .l2 = decay, .nonfinite = overflow, .rounding = optim::Rounding::compensated});
  };
  return recipe;
}

Recipe sgdw() {
  return {"SGDW", 0.05, 0.5, 0.7, 1e-4, [](const Parameters& all, const Schedule& lr, double decay) -> Made {
            return std::make_unique<optim::SGDW>(
                all, optim::SGDWOptions{.lr = lr, .weight_decay = decay, .nonfinite = overflow});
          }};
}

Recipe momentum_sgd() {
  return {
      "SGD, momentum 0.9", 0.01, 0.05, 0.07, 1e-4, [](const Parameters& all, const Schedule& lr, double decay) -> Made {
        return std::make_unique<optim::SGD>(
            all, optim::SGDOptions{.lr = lr, .momentum = 0.9, .l2 = decay, .nonfinite = overflow});
      }};
}

Recipe momentum_sgdw() {
  return {"SGDW, momentum 0.9",
          0.01,
          0.05,
          0.07,
          1e-4,
          [](const Parameters& all, const Schedule& lr, double decay) -> Made {
            return std::make_unique<optim::SGDW>(
                all, optim::SGDWOptions{.lr = lr, .momentum = 0.9, .weight_decay = decay, .nonfinite = overflow});
          }};
}

Recipe rmsprop() {
  return {"RMSprop", 1e-3, 1e-2, 2e-2, 1e-4, [](const Parameters& all, const Schedule& lr, double decay) -> Made {
            return std::make_unique<optim::RMSprop>(
                all, optim::RMSpropOptions{.lr = lr, .l2 = decay, .nonfinite = overflow});
          }};
}

Recipe adam() {
  return {"Adam + L2", 1e-3, 2e-2, 3e-2, 1e-4, [](const Parameters& all, const Schedule& lr, double decay) -> Made {
            return std::make_unique<optim::Adam>(all, optim::AdamOptions{.lr = lr, .l2 = decay, .nonfinite = overflow});
          }};
}

Recipe adamw() {
  return {"AdamW", 1e-3, 2e-2, 3e-2, 1e-2, [](const Parameters& all, const Schedule& lr, double decay) -> Made {
            return std::make_unique<optim::AdamW>(
                all, optim::AdamWOptions{.lr = lr, .weight_decay = decay, .nonfinite = overflow});
          }};
}

Recipe radam() {
  return {"RAdam", 1e-3, 2e-2, 3e-2, 1e-4, [](const Parameters& all, const Schedule& lr, double decay) -> Made {
            return std::make_unique<optim::RAdam>(all,
                                                  optim::RAdamOptions{.lr = lr, .l2 = decay, .nonfinite = overflow});
          }};
}

Recipe lion() {
  return {"Lion", 1e-4, 2e-3, 3e-3, 1e-1, [](const Parameters& all, const Schedule& lr, double decay) -> Made {
            return std::make_unique<optim::Lion>(
                all, optim::LionOptions{.lr = lr, .weight_decay = decay, .nonfinite = overflow});
          }};
}

namespace {

template <bool has_momentum>
Made paper_sgdw(const Parameters& all, const Schedule& lr, double decay) {
  return std::make_unique<optim::SGDW>(all, optim::SGDWOptions{.lr = lr,
                                                               .momentum = has_momentum ? 0.9 : 0.0,
                                                               .weight_decay = decay / lr(0) * lr,
                                                               .decay = optim::Decay::independent,
                                                               .nonfinite = overflow});
}

}  // namespace

Recipe independent_sgdw(double momentum) {
  Recipe recipe = momentum > 0.0 ? momentum_sgdw() : sgdw();
  recipe.name += ", independent decay";
  recipe.make = momentum > 0.0 ? paper_sgdw<true> : paper_sgdw<false>;
  return recipe;
}

Recipe independent_adamw() {
  Recipe recipe = adamw();
  recipe.name += ", independent decay";
  recipe.make = [](const Parameters& all, const Schedule& lr, double decay) -> Made {
    return std::make_unique<optim::AdamW>(
        all,
        optim::AdamWOptions{
            .lr = lr, .weight_decay = decay / lr(0) * lr, .decay = optim::Decay::independent, .nonfinite = overflow});
  };
  return recipe;
}

Bench::Bench(const Scale& scale, const Images& train, const Images& test) : scale_(scale), train_(train), test_(test) {}

Step Bench::epoch() const { return (train_.size() + scale_.batch_size - 1) / scale_.batch_size; }

Outcome Bench::train(const Recipe& recipe, const Schedule& lr, double decay, Step updates, std::uint64_t seed,
                     const Extras& extras) const {
  manual_seed(seed);
  const nn::Sequential model = models::cnn(scale_.network);
  data::Loader loader(train_, {.batch_size = scale_.batch_size, .shuffle = true});
  Outcome outcome{.losses = {}, .parameters = model.parameters()};
  const auto optimizer = recipe.make(outcome.parameters, lr, decay);

  const auto look = [&] {
    if (extras.look) extras.look({static_cast<Step>(outcome.losses.size()), model, *optimizer});
  };
  const auto update = [&](const Tensor& images, const Tensor& labels) {
    {
      Tape tape;
      const Tensor loss = cross_entropy(model(images), labels);
      tape.backward(loss);
      optimizer->step();
      outcome.losses.push_back(loss.item());
    }
    look();
  };
  const auto count = static_cast<std::size_t>(updates);
  look();
  for (const std::vector<std::int64_t>& batch : extras.first_batches) {
    if (outcome.losses.size() == count) break;
    const auto [images, labels] = train_.batch(batch);
    update(images, labels);
  }
  while (outcome.losses.size() < count) {
    for (const auto& [images, labels] : loader) {
      update(images, labels);
      if (outcome.losses.size() == count) break;
    }
  }
  data::Loader test(test_, {.batch_size = 1000});
  outcome.accuracy = accuracy(model, test);
  return outcome;
}

}  // namespace temper::study
