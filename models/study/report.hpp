#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/study/decay.hpp"
#include "models/study/moments.hpp"
#include "models/study/warmup.hpp"

namespace temper::study {

/// "better" or "worse" if the changes of all seeds agree, else "mixed". `good` is the sign of a good change.
std::string verdict(const std::vector<double>& change, double good);

void print_noise_updates(const std::vector<double>& sizes);
void print_warmup_header();
/// Prints a line for runs that differ only in the seed.
void print_setting(std::span<const WarmupRun> runs);
/// Prints the effect of warm-up, and whether it supports the claims.
void print_warmup_claims(const std::vector<WarmupRun>& runs);
void print_decay(const std::vector<DecayComparison>& comparisons);
void print_rounding(const std::vector<RoundingResult>& rows);
/// Compares all rows with the first, seed by seed.
void print_moments(const std::vector<MomentsRuns>& rows);

/// All runs as comma-separated values.
std::string csv(const std::vector<WarmupRun>& runs);

/// A picture and its file name.
struct Picture {
  std::string name, svg;
};
/// The pictures of docs/warm-up.md and docs/weight-decay.md.
std::vector<Picture> pictures(const std::vector<double>& noise_updates);

}  // namespace temper::study
