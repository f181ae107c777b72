#pragma once

// What an Optimizer hides: its parameters with their states, and the memory that one step leaves to the next.

#include <exception>
#include <mutex>
#include <optional>
#include <span>

#include <temper/core/parallel.hpp>
#include <temper/optim/optimizer.hpp>

#include "optim/plan_internal.hpp"

namespace temper::optim {

class Optimizer::Engine {
 public:
  /// A parameter with what is kept for it from step to step.
  struct Slot {
    Parameter parameter;
    std::string label;  // for errors
    std::size_t group;
    std::vector<Tensor> states{};  // made at the first update
    Step updates = 0;
    std::array<double, max_products> products{};
    Tensor average{};
    Tensor copy{};  // in bf16
  };

  Engine(const Optimizer& optimizer, Groups groups, Definition definition);

  StepReport step(const StepOptions& options);
  double value(std::string_view name, Step k, std::size_t group) const;
  const Schedule& schedule(std::string_view name, std::size_t group) const;

  void scale_lr(double factor, const std::string& reason);
  const std::vector<JournalEntry>& journal() const { return journal_; }
  std::map<std::string, std::string>& notes() { return notes_; }
  void average(const AverageOptions& options);
  void swap_averages();
  void keep_bf16();
  Tensor kept(const Parameter& parameter, Tensor Slot::*what, const char* name) const;
  OptimizerState state() const;
  void load(const OptimizerState& state, const LoadOptions& options);

  const Definition& definition() const { return definition_; }
  const Groups& groups() const { return groups_; }
  Step k() const { return k_; }

 private:
  /// A slot that has a gradient in this step.
  struct Active {
    Slot* slot;
    std::int64_t first_piece;
    float* p;
    const float* g;
    std::array<std::byte*, max_states> states;
    float* average;
    std::uint16_t* copy;
    std::size_t now;  // index in nows_
    std::array<double, 2> totals;
  };

  void add_group(std::size_t index);
  std::size_t find(std::string_view name, std::size_t group) const;
  double hyper(std::size_t index, std::size_t group, Step k) const;
  std::map<std::string, std::string> settings() const;
  void evaluate();
  void gather();
  Tensor make_state(const StateSpec& spec, const Shape& shape) const;
  double average_weight() const;
  void average_resting();
  void run();
  void work(const Team& team);
  void read_gradients(std::int64_t first, std::int64_t last);
  void decide();
  void prepare_all();
  void update_pieces(std::int64_t first, std::int64_t last, int thread, int phase);
  void add_totals();
  void zero_bad_gradients();
  void commit();

  const Optimizer& optimizer_;
  Definition definition_;
  Groups groups_;
  std::vector<std::vector<Schedule>> hypers_;  // [group][hyper]
  std::vector<Slot> slots_;
  Step k_ = 0;
  std::vector<JournalEntry> journal_;
  std::map<std::string, std::string> notes_;
  std::optional<AverageOptions> averages_;
  Step samples_ = 0;      // in the averages
  bool swapped_ = false;  // the parameters hold the averages

  // Of the current step; the memory is used again.
  StepOptions options_;
  StepReport report_;
  std::vector<std::array<double, max_hypers>> values_;  // [group]
  double clip_norm_ = no_clipping;
  std::vector<Active> active_;
  std::vector<std::int64_t> sizes_;
  detail::Plan plan_;
  std::vector<double> sums_;                    // of squares, per piece
  std::vector<std::array<double, 2>> changes_;  // per piece: see optim_kernels::Table::change, Piece::sums
  std::vector<Now> nows_;
  Tensor scratch_;  // parameters before the update, a piece per thread
  bool reads_ = false;
  bool writes_ = false;
  double gradient_scale_ = 1.0;
  double average_weight_ = 0.0;
  std::exception_ptr error_;  // of the first update that threw: it must reach the barriers with the others
  std::mutex error_mutex_;
};

}  // namespace temper::optim
