#pragma once

#include <fstream>

#include <nlohmann/json.hpp>

/// The trajectories that tests/golden/record_optim.py recorded.
inline const nlohmann::json& optim_golden() {
  static const nlohmann::json golden = nlohmann::json::parse(std::ifstream(TEMPER_TEST_DIR "/golden/optim.json"));
  return golden;
}
