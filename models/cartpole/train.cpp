#include <algorithm>
#include <cmath>
#include <ctime>
#include <sstream>
#include <string>
#include <vector>

#include <temper/models/cartpole/actor_critic.hpp>
#include <temper/models/cartpole/environment.hpp>
#include <temper/run/loop.hpp>
#include <temper/run/program.hpp>

namespace temper::models {

namespace {

constexpr double solved_at = 475;  // mean steps of 100 episodes, of at most 500

/// The options that only this program has.
struct Options {
  std::int64_t environments = 8, horizon = 64, passes = 4, minibatches = 4, width = 64, episodes = 100;
  AdvantageOptions advantage;
  PolicyOptions policy;
  bool go_on = false;

  void add_to(OwnOptions& own) {
    own.add("--environments", environments, "carts at once");
    own.add("--horizon", horizon, "steps of each cart from one training to the next");
    own.add("--passes", passes, "over the steps, in each training");
    own.add("--minibatches", minibatches, "updates of a pass");
    own.add("--width", width, "features of the hidden layers");
    own.add("--episodes", episodes, "of an evaluation");
    own.add("--discount", advantage.discount, "of rewards, a step");
    own.add("--lambda", advantage.lambda, "0: trust the critic; 1: trust the rewards");
    own.add("--clip", policy.clip, "how far an action's probability may move");
    own.add("--entropy", policy.entropy, "factor of the entropy");
    own.flag("--go-on", go_on, "goes on when it is solved");
  }
};

/// Several carts, side by side.
class Carts {
 public:
  explicit Carts(std::int64_t count) : carts_(static_cast<std::size_t>(count)) {
    for (std::size_t i = 0; i < carts_.size(); ++i) reset(i);
  }
  std::size_t size() const { return carts_.size(); }
  CartPole& operator[](std::size_t i) { return carts_[i]; }
  void reset(std::size_t i) {
    const Tensor drawn = uniform({CartPole::numbers});
    float places[CartPole::numbers];
    std::ranges::copy(drawn.values<float>(), places);
    carts_[i].reset(places);
  }
  /// [N, 4]
  Tensor states() const {
    Tensor all = empty({std::ssize(carts_), CartPole::numbers});
    for (std::size_t i = 0; i < carts_.size(); ++i)
      carts_[i].observe(all.mutable_data<float>() + i * CartPole::numbers);
    return all;
  }

 private:
  std::vector<CartPole> carts_;
};

/// The mean length of episodes in which the most probable action is taken.
double mean_length(const ActorCritic& model, std::int64_t episodes) {
  const NoTape unrecorded;
  Carts carts(episodes);
  std::vector<bool> over(carts.size());
  std::int64_t steps = 0;
  for (std::size_t running = carts.size(); running > 0;) {
    const Tensor actions = argmax(model.logits(carts.states()));
    for (std::size_t i = 0; i < carts.size(); ++i) {
      if (over[i]) continue;
      ++steps;
      over[i] = carts[i].step(actions.data<std::int64_t>()[i]).over();
      if (over[i]) --running;
    }
  }
  return static_cast<double>(steps) / static_cast<double>(episodes);
}

/// One instant: the track, the cart and the pole.
void draw(const CartPole& cart, float* pixels, std::int64_t stride) {
  constexpr std::int64_t width = 144, height = 96, ground = 76;
  constexpr double scale = width / (2 * CartPole::farthest);
  const auto dot = [&](double y, double x, float shade) {
    const auto row = std::lround(y), column = std::lround(x);
    if (row >= 0 && row < height && column >= 0 && column < width) pixels[row * stride + column] = shade;
  };
  for (std::int64_t x = 0; x < width; ++x) dot(ground + 5, static_cast<double>(x), 0.7f);
  const double middle = width / 2.0 + cart.position * scale;
  for (int y = -4; y <= 4; ++y) {
    for (int x = -9; x <= 9; ++x) dot(ground + y, middle + x, 0.2f);
  }
  const double length = 2 * CartPole::half_length * scale;
  for (double part = 0; part <= 1; part += 0.5 / length) {
    const double y = ground - 4 - part * length * std::cos(cart.angle),
                 x = middle + part * length * std::sin(cart.angle);
    dot(y, x, 0.45f);
    dot(y, x + 1, 0.45f);
  }
}

/// An episode: six instants, a hundred steps from one to the next.
Tensor picture(const ActorCritic& model) {
  constexpr std::int64_t frames = 6, width = 144, height = 96, gap = 4;
  Tensor image = full({height, frames * (width + gap) - gap, 1}, 1.0f);
  Carts carts(1);
  for (std::int64_t frame = 0, step = 0; frame < frames; ++frame) {
    draw(carts[0], image.mutable_data<float>() + frame * (width + gap), image.size(1));
    for (const std::int64_t until = std::min(step + 100, CartPole::longest - 1); step < until; ++step) {
      const Tensor action = argmax(model.logits(carts.states()));
      if (carts[0].step(action.data<std::int64_t>()[0]).over()) return image;
    }
  }
  return image;
}

/// Does a part of the work, and adds the seconds of the CPU that it took, which do not depend on what else runs there.
template <class Work>
void timed(double& seconds, Work work) {
  const std::clock_t begin = std::clock();
  work();
  seconds += static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

void train(Run& run, const Options& options) {
  for (const auto& [name, value] : {std::pair{"--environments", options.environments},
                                    {"--horizon", options.horizon},
                                    {"--passes", options.passes},
                                    {"--minibatches", options.minibatches},
                                    {"--episodes", options.episodes}}) {
    if (value < 1) throw ValueError(std::string(name) + ": " + std::to_string(value) + ", expected at least 1");
  }
  const std::int64_t count = options.environments, horizon = options.horizon, all = count * horizon;
  if (all % options.minibatches != 0 || all / options.minibatches < 2) {
    throw ValueError("--minibatches: " + std::to_string(options.minibatches) + " of " + std::to_string(all) +
                     " steps, expected a divisor that leaves at least 2 to each");
  }
  const ActorCritic model({.numbers = CartPole::numbers, .actions = CartPole::actions, .width = options.width});
  const Step updates = options.passes * options.minibatches;
  const auto optimizer = run.optimizer(model, 1, {.steps = run.options().steps * updates});
  Carts carts(count);

  Loop loop(run);
  loop.model("agent", model).optimizer("agent", *optimizer);
  for (std::size_t i = 0; i < carts.size(); ++i) {
    const std::string cart = "cart " + std::to_string(i) + " ";
    loop.state(cart + "position", carts[i].position).state(cart + "speed", carts[i].speed);
    loop.state(cart + "angle", carts[i].angle).state(cart + "spin", carts[i].spin);
    loop.state(cart + "steps", carts[i].steps);
  }
  loop.evaluate([&] { return Metrics{{"test episode length", mean_length(model, options.episodes)}}; });
  Step solved = 0;
  run.hooks({.evaluated = [&](Step step, const Metrics& metrics) {
    if (metrics.front().value < solved_at || options.go_on) return;
    if (solved == 0) solved = step;
    loop.stop();
  }});
  run.measure({.unit = "steps"});

  double acting = 0, simulating = 0, learning = 0;
  std::int64_t steps = 0;
  while (loop.next()) {
    std::vector<Tensor> states, actions, log_probs, values;
    Tensor rewards = full({horizon, count}, 1.0f), over = zeros({horizon, count}, Dtype::boolean);
    std::int64_t episodes = 0;
    for (std::int64_t t = 0; t < horizon; ++t) {
      states.push_back(carts.states());
      timed(acting, [&] {
        const distributions::Categorical policy(model.logits(states.back()));
        actions.push_back(policy.sample());
        log_probs.push_back(policy.log_prob(actions.back()));
        values.push_back(model.values(states.back()));
      });
      timed(simulating, [&] {
        for (std::size_t i = 0; i < carts.size(); ++i) {
          const CartPole::Outcome outcome = carts[i].step(actions.back().data<std::int64_t>()[i]);
          if (!outcome.over()) continue;
          const std::int64_t at = t * count + static_cast<std::int64_t>(i);
          over.mutable_data<bool>()[at] = true;
          // An episode that was cut off could have gone on: the critic says for how much.
          if (outcome.cut_off) {
            const Tensor last = carts.states().rows(static_cast<std::int64_t>(i), static_cast<std::int64_t>(i) + 1);
            rewards.mutable_data<float>()[at] +=
                static_cast<float>(options.advantage.discount * model.values(last).item());
          }
          ++episodes;
          loop.log("train/episode length", static_cast<double>(carts[i].steps));
          carts.reset(i);
        }
      });
    }
    timed(learning, [&] {
      const auto [advantages, returns] =
          advantages_of(rewards, stack(values), over, model.values(carts.states()), options.advantage);
      const Experience whole{.states = concat(states, 0),
                             .actions = concat(actions, 0),
                             .log_probs = concat(log_probs, 0),
                             .advantages = reshape(advantages, {-1}),
                             .returns = reshape(returns, {-1})};
      const std::int64_t size = all / options.minibatches;
      for (std::int64_t pass = 0; pass < options.passes; ++pass) {
        const Tensor order = argsort(uniform({all}));
        for (std::int64_t first = 0; first < all; first += size) {
          const Tensor chosen = order.rows(first, first + size);
          const auto take = [&](const Tensor& from) { return index_select(from, 0, chosen); };
          Tape tape;
          const Tensor loss = policy_loss(model,
                                          {take(whole.states), take(whole.actions), take(whole.log_probs),
                                           take(whole.advantages), take(whole.returns)},
                                          options.policy);
          tape.backward(loss);
          optimizer->step();
          loop.log("train/loss", loss.item());
        }
      }
    });
    loop.seen(all);
    steps += all;
  }
  std::ostringstream text;
  if (solved > 0)
    text << "solved after " << solved * all << " steps of the carts: mean length of " << options.episodes
         << " episodes at least " << solved_at << "\n";
  if (steps > 0) {
    const auto microseconds = [&](double seconds, double over) { return seconds * 1e6 / over; };
    const auto n = static_cast<double>(steps);
    text << "microseconds of the CPU for a step of a cart: " << microseconds(acting, n) << " acting, "
         << microseconds(simulating, n) << " simulating, " << microseconds(learning, n) << " learning\n"
         << "for an update of " << all / options.minibatches
         << " steps: " << microseconds(learning, n / static_cast<double>(all) * static_cast<double>(updates))
         << "; for a choice of " << count << " carts: " << microseconds(acting, n / static_cast<double>(count)) << "\n";
  }
  run.sample_text("Result", text.str());
  run.sample_image("An episode", "every hundredth step", picture(model));
}

}  // namespace

}  // namespace temper::models

int main(int argc, char** argv) {
  using namespace temper;
  using namespace temper::models;
  Program program{.name = "cartpole", .description = "Trains an actor and a critic to balance a pole on a cart."};
  program.defaults = {
      .steps = 200, .lr = "1e-3", .warmup = "0", .weight_decay = 0.0, .clip_norm = 0.5, .threads = 1, .eval_every = 10};
  program.without = {"--data", "--epochs", "--batch-size", "--accumulate", "--dtype", "--patience", "--min-change"};
  program.free = {"--go-on"};
  Options options;
  return run_program(
      program, argc, argv, [&](OwnOptions& own) { options.add_to(own); }, [&](Run& run) { train(run, options); });
}
