#pragma once

// The implementation of an Optimizer: its parameters with their states, and buffers that steps reuse.

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
  class Debts;

  /// A parameter with its state.
  struct Slot {
    Parameter parameter;
    std::string label;  // for errors
    std::size_t group;
    std::vector<Tensor> states{};  // made at the first update
    Step updates = 0;
    std::array<double, max_products> products{};
    std::array<double, max_sums> sums{};
    Tensor slow{};  // Lookahead's slow weights
    Tensor average{};
    Tensor copy{};                // in bf16; the parameter itself when it has a master
    Tensor master{};              // in f32, of a parameter that is bf16
    std::uint32_t version = ~0u;  // of the bf16 parameter when the master was last compared with it
    bool whole = false;           // shown to transform()
    bool clipped = false;         // row by row
    bool sparse = false;
    bool debts = false;         // rows are owed updates (Rows::exact), by these two:
    std::vector<Now> missed{};  // the numbers of the last updates
    std::vector<Step> done{};   // of each row, how many updates it had

    /// The f32 tensor that is updated: the master of a bf16 parameter, else the parameter. Rows may be owed updates.
    const Tensor& weights() const { return master.defined() ? master : parameter.stored(); }
    /// Of a sparse parameter, those of the rows.
    const Tensor& gradient() const { return sparse ? parameter.row_gradient().values : parameter.gradient(); }
    /// Counts a change in place, so that a tape that saved the weights notices. (const_cast, because copying the handle
    /// would cost two atomic operations.)
    void bump_version() { const_cast<Tensor&>(weights()).mutable_data<float>(); }
  };

  Engine(const Optimizer& optimizer, Groups groups, Definition definition);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  void belongs_to(const Optimizer& optimizer) { optimizer_ = &optimizer; }

  StepReport step(const StepOptions& options);
  double value(std::string_view name, Step k, std::size_t group) const;
  const Schedule& schedule(std::string_view name, std::size_t group) const;

  void scale_lr(double factor, const std::string& reason);
  const std::vector<JournalEntry>& journal() const { return journal_; }
  std::map<std::string, std::string>& notes() { return notes_; }
  void average(const AverageOptions& options);
  void swap_averages();
  bool has_averages() const { return definition_.evaluates_elsewhere ? k_ > 0 : averages_ && samples_ > 0; }
  void look_ahead(const LookaheadOptions& options);
  void clip_adaptively(const AdaptiveClipOptions& options);
  void keep_bf16();
  Tensor kept(const Parameter& parameter, Tensor Slot::*what, const char* name) const;
  Tensor averaged(const Parameter& parameter) const;
  OptimizerState state() const;
  void load(const OptimizerState& state, const LoadOptions& options);
  void start_from(Step k, const std::map<std::string, ParameterStart>& parameters);

  const Definition& definition() const { return definition_; }
  std::span<const double> global_numbers() const { return globals_; }
  const Groups& groups() const { return groups_; }
  Step k() const { return k_; }

 private:
  /// A slot that has a gradient in this step, with its addresses. Kept for the next step, because looking up the
  /// addresses of thousands of small tensors costs more than updating them.
  struct Active {
    Slot* slot;
    std::int64_t size;  // of the gradient
    std::int64_t first_piece;
    float* p;
    const float* g;
    const std::int64_t* rows;  // of a sparse parameter: which rows the gradient is of, else null
    std::array<std::byte*, max_states> states;
    float* slow;  // this and the next one: null for a sparse parameter, all rows of which are dealt with apart
    float* average;
    std::uint16_t* copy;
    std::size_t now;  // index in nows_
    std::array<double, 2> totals;
  };

  void add_group(std::size_t index);
  std::size_t find(std::string_view name, std::size_t group) const;
  double hyper(std::size_t index, std::size_t group, Step k) const;
  std::map<std::string, std::string> settings() const;
  std::string members(std::size_t group) const;
  Now now_after(Step updates, std::size_t group, Step k) const;
  void evaluate();
  void evaluate_clipping();
  void check_not_swapped() const;
  void check_values() const;
  void follow_values();
  void find_active();
  void make_active();
  void sync_masters();
  static void renew_copy(Slot& slot);
  Tensor make_state(const StateSpec& spec, const Parameter& parameter) const;
  double average_weight() const;
  template <class F>
  void each_without_gradient(F f);
  void average_others();
  void evaluation_weights();
  bool looks_back() const;
  void look_back_others();
  void clip_rows(Active& active);
  // rows.cpp
  void check_sparse(const Slot& slot) const;
  void owe_rows();
  void leave_rows();
  void remember(Slot& slot, const Now& now) const;
  void pay_row(Slot& slot, std::int64_t row) const;
  void pay(Slot& slot, std::span<const std::int64_t> rows) const;
  void pay_all(Slot& slot) const;
  void pay_all();
  void forget_debts();
  void update_rows(const Active& active, std::int64_t begin, std::int64_t end, float* before, double* change);
  void run();
  void transform_all();
  void work(const Team& team, bool reads, bool updates);
  void read_gradients(std::int64_t first, std::int64_t last);
  void decide();
  void prepare_all();
  void update_pieces(std::int64_t first, std::int64_t last, int thread, int phase);
  void add_totals(int phase);
  void zero_bad_gradients();
  static float* own_gradient(Active& active);
  void commit();

  const Optimizer* optimizer_;
  Definition definition_;
  Groups groups_;
  std::vector<std::vector<Schedule>> hypers_;      // [group][hyper]
  std::vector<std::optional<Schedule>> clipping_;  // [group], for groups with a clip_norm of their own
  std::vector<Slot> slots_;
  Step k_ = 0;
  std::vector<JournalEntry> journal_;
  std::map<std::string, std::string> notes_;
  std::optional<AverageOptions> averages_;
  std::optional<LookaheadOptions> lookahead_;
  std::optional<AdaptiveClipOptions> adaptive_clip_;
  std::vector<double> globals_;  // current values of Definition::globals
  Step samples_ = 0;             // in the averages
  bool swapped_ = false;         // the parameters hold the averages

  // Of the current step. The memory is reused by the next one.
  StepOptions options_;
  StepReport report_;
  std::vector<std::array<double, max_hypers>> values_;  // [group]
  std::vector<double> clip_norms_;                      // first that of groups without their own, then per group
  std::vector<double> clips_;                           // factors of the gradients, in the same order
  std::vector<Active> active_;
  std::vector<std::int64_t> sizes_;
  detail::Plan plan_;
  std::vector<double> sums_;                    // of squares, per piece
  std::vector<std::array<double, 2>> changes_;  // per piece: see optim_kernels::Table::change, Piece::sums
  std::vector<Now> nows_;
  std::vector<double> next_globals_;
  Tensor scratch_;  // parameters before the update, a piece per thread
  Tensor zeros_;    // the gradient of a row that has none
  bool clips_any_ = false;
  bool has_masters_ = false;
  bool reads_ = false;   // whether the gradients are read before the update, for their norm or to check them
  bool writes_ = false;  // whether the update may be applied
  double average_weight_ = 0.0;
  std::exception_ptr error_;  // of an update that threw, rethrown after the barriers of the parallel region
  std::mutex error_mutex_;
};

}  // namespace temper::optim
