#include "turn.h"
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <condition_variable>
#include <mutex>

namespace {

std::mutex gate;
std::condition_variable moved;
uint64_t next_ticket = 0;
uint64_t serving = 0;
int inside = 0;
int shared_count = 0;

// OpenMP keeps a number for each thread; of these libraries the one in use keeps one for all.
void tell_blas(int count) {
  using Setter = void (*)(int);
  static const auto openblas = reinterpret_cast<Setter>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  static const auto mkl = reinterpret_cast<Setter>(dlsym(RTLD_DEFAULT, "MKL_Set_Num_Threads"));
  if (openblas != nullptr) openblas(count);
  if (mkl != nullptr) mkl(count);
}

// In the order of arrival, so that nobody waits for ever: whoever is next holds up those behind until those inside have left.
template <typename MayEnter>
void enter(int count, MayEnter may_enter) {
  std::unique_lock<std::mutex> lock(gate);
  const auto ticket = next_ticket++;
  moved.wait(lock, [&] { return serving == ticket && may_enter(); });
  if (shared_count != count) tell_blas(count);
  shared_count = count;
  inside++;
  serving++;
  if (serving != next_ticket) moved.notify_all();
}

void leave() {
  std::lock_guard<std::mutex> lock(gate);
  if (--inside == 0 && serving != next_ticket) moved.notify_all();
}

}  // namespace

Turn::Turn() {
  const int count = at::get_num_threads();
  enter(count, [count] { return inside == 0 || shared_count == count; });
}

Turn::~Turn() { leave(); }

void set_own_num_threads(int32_t threads) {
  // A thread's first question gives it the number that was set last, by whomever: ask before setting.
  if (at::get_num_threads() == threads) return;
  enter(threads, [] { return inside == 0; });
  at::set_num_threads(threads);
  leave();
}
