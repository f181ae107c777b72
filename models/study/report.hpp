#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/study/decay.hpp"
#include "models/study/moments.hpp"
#include "models/study/warmup.hpp"

namespace temper::study {

/// "better" or "worse" when every seed says so, else "mixed". `good` is the sign of a good change.
std::string verdict(const std::vector<double>& change, double good);

void print_noise_updates(const std::vector<double>& sizes);
void print_warmup_header();
/// A line for runs that differ in nothing but the seed.
void print_arm(std::span<const WarmupRun> runs);
/// What warm-up changed, and what that says about the claims.
void print_warmup_claims(const std::vector<WarmupRun>& runs);
void print_decay(const std::vector<Twins>& twins);
void print_rounding(const std::vector<Kept>& rows);
/// The first runs are what the others are compared with, seed by seed.
void print_moments(const std::vector<MomentsRuns>& rows);

/// All runs as comma-separated values.
std::string csv(const std::vector<WarmupRun>& runs);

/// A picture by its file name.
struct Picture {
  std::string name, svg;
};
/// The pictures of the pages on warm-up and weight decay.
std::vector<Picture> pictures(const std::vector<double>& noise_updates);

}  // namespace temper::study
