#include <temper/models/forecast/forecast.hpp>

#include <cmath>
#include <string>

#include <temper/temper.hpp>

namespace temper::models {

namespace {

void check_size(const char* what, std::int64_t size, std::int64_t least = 1) {
  if (size < least) {
    throw ValueError("Forecast: " + std::string(what) + " is " + std::to_string(size) + ", expected at least " +
                     std::to_string(least));
  }
}

ForecastConfig checked(ForecastConfig config) {
  check_size("lookback", config.lookback);
  check_size("horizon", config.horizon);
  check_size("width", config.width);
  check_size("layers", config.layers, 0);
  check_size("kernel", config.kernel, 2);
  if (config.layers == 0) {
    config.layers = 1;
    if (config.network == ForecastNetwork::convolution) {
      // A block with dilation d sees 2 (kernel - 1) d steps more than the one before.
      std::int64_t seen = 1;
      for (std::int64_t dilation = 1;; dilation *= 2, ++config.layers) {
        seen += 2 * (config.kernel - 1) * dilation;
        if (seen >= config.lookback) break;
      }
    }
  }
  return config;
}

void check_past(const char* who, const Tensor& x, std::int64_t lookback) {
  if (x.rank() != 3 || x.size(2) != 1 || (lookback > 0 && x.size(1) != lookback)) {
    throw ShapeError(std::string(who) + ": past " + to_string(x.shape()) + ", expected [N, " +
                     (lookback > 0 ? std::to_string(lookback) : std::string("lookback")) + ", 1]");
  }
}

nn::Conv1d causal(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t dilation) {
  return nn::Conv1d(in, out, {.kernel = kernel, .padding = {dilation * (kernel - 1), 0}, .dilation = dilation});
}

}  // namespace

TemporalBlock::TemporalBlock(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t dilation,
                             double dropout)
    : first(causal(in, out, kernel, dilation)), second(causal(out, out, kernel, dilation)), dropout_(dropout) {
  if (in != out) shortcut = std::make_unique<nn::Conv1d>(in, out, nn::Conv1dLayerOptions{});
}

Tensor TemporalBlock::forward(const Tensor& x) const {
  const Tensor y = dropout_(relu(second(dropout_(relu(first(x))))));
  return relu(y + (shortcut ? (*shortcut)(x) : x));
}

void TemporalBlock::members(nn::Members& m) const {
  m("first", first);
  m("second", second);
  m("shortcut", shortcut);
}

Forecast::Forecast(const ForecastConfig& config) : config_(checked(config)), head_(config.width, config.horizon) {
  const nn::RecurrentOptions recurrent{.layers = config_.layers, .dropout = config.dropout};
  switch (config.network) {
    case ForecastNetwork::lstm: recurrent_ = std::make_unique<nn::LSTM>(1, config.width, recurrent); break;
    case ForecastNetwork::gru: recurrent_ = std::make_unique<nn::GRU>(1, config.width, recurrent); break;
    case ForecastNetwork::convolution:
      for (std::int64_t i = 0; i < config_.layers; ++i) {
        blocks_.emplace_back(i == 0 ? 1 : config.width, config.width, config.kernel, std::int64_t{1} << i,
                             config.dropout);
      }
      break;
  }
}

Tensor Forecast::forward(const Tensor& x) const {
  check_past("Forecast", x, config_.lookback);
  const Tensor last = slice(x, 1, -1, config_.lookback);  // [N, 1, 1]
  Tensor seen = x - last;
  if (recurrent_) {
    seen = (*recurrent_)(seen).y;
  } else {
    for (const TemporalBlock& block : blocks_) seen = block(seen);
  }
  const Tensor state = reshape(slice(seen, 1, -1, config_.lookback), {-1, config_.width});  // after the last step
  return unsqueeze(head_(state), -1) + last;
}

void Forecast::members(nn::Members& m) const {
  m("recurrent", recurrent_);
  m("blocks", blocks_);
  m("head", head_);
}

std::string Forecast::description() const {
  return "Forecast(" + std::to_string(config_.lookback) + " to " + std::to_string(config_.horizon) + ")";
}

Tensor seasonal_naive(const Tensor& x, std::int64_t horizon, std::int64_t season) {
  check_past("seasonal_naive", x, 0);
  const std::int64_t lookback = x.size(1);
  check_size("horizon", horizon);
  if (season < 1 || season > lookback) {
    throw ValueError("seasonal_naive: a season of " + std::to_string(season) + ", expected 1 to the lookback, " +
                     std::to_string(lookback));
  }
  const Tensor year = slice(x, 1, lookback - season, lookback);
  return slice(tile(year, {1, (horizon + season - 1) / season, 1}), 1, 0, horizon);
}

double seasonal_error(std::span<const float> series, std::int64_t season) {
  const std::int64_t size = std::ssize(series);
  if (season < 1 || size <= season) {
    throw ValueError("seasonal_error: a season of " + std::to_string(season) + " in a series of " +
                     std::to_string(size) + " steps, expected 1 to " + std::to_string(size - 1));
  }
  double sum = 0;
  for (std::int64_t t = season; t < size; ++t) {
    sum += std::abs(static_cast<double>(series[static_cast<std::size_t>(t)]) -
                    static_cast<double>(series[static_cast<std::size_t>(t - season)]));
  }
  if (!(sum > 0)) throw ValueError("seasonal_error: the series repeats itself each season, or is not finite");
  return sum / static_cast<double>(size - season);
}

}  // namespace temper::models
