"""Tests mirror the package: a module has a test file of its name, or an entry here."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Modules without a file of their own -> the test that goes through them, and why it is there.
COVERED = {
    "errors": ("study/test_search_file.py", "the nearest name stands in every refusal"),
    "version": ("cli/test_main.py", "one constant, printed by --version"),
    "user_modules": ("config/test_own_methods.py", "of two of one name the second is refused"),
    "api": ("test_python_page.py", "every line of the page on it"),
    "agent/acting": ("agent/test_methods.py", "what acts in every method"),
    "agent/agreement": ("agent/test_ensemble.py", "what pairs say of the same actions"),
    "agent/behaviour": ("agent/test_stages.py", "each stage against an independent update"),
    "agent/cloning": ("agent/test_methods.py", "the clone, whatever its update"),
    "agent/direct": ("agent/test_methods.py", "what methods of one pass share"),
    "agent/expectile": ("agent/test_support.py", "what is above balances what is below"),
    "agent/critic": ("agent/test_stages.py", "each stage against an independent update"),
    "agent/policy": ("agent/test_stages.py", "each stage against an independent update"),
    "agent/judge": ("agent/test_critic_report.py", "what a report says of Q"),
    "agent/pack": ("agent/test_packs.py", "a member does not depend on its pack"),
    "agent/sampling": ("agent/test_support.py", "support actions are its samples"),
    "agent/tensors": ("agent/test_paper_reference.py", "tensors of the reference run"),
    "agent/program_method": ("agent/test_program.py", "its commands and their ends"),
    "agent/program_policy": ("agent/test_program.py", "programs that answer, and do not"),
    "agent/program_files": ("agent/test_program.py", "what a program leaves, and says"),
    "agent/own": ("test_own_method.py", "the page's method is made of it"),
    "bench/table": ("bench/test_outcome.py", "a table of outcomes"),
    "bench/peers_table": ("bench/test_peers.py", "a table of outcomes"),
    "data/ogbench_table": ("evaluation/test_single_tasks.py", "the table against the package"),
    "evaluation/single_task_rows": ("evaluation/test_single_tasks.py", "rows against the package"),
    "cli/buckets": ("sweep/test_bucket_sweep.py", "verbs that take a URI, and one not"),
    "cli/data_files": ("cli/test_data_show.py", "what FILE or TASK stands for"),
    "cli/invocation": ("cli/test_main.py", "the command as records name it"),
    "cli/method_check": ("train/test_method_check.py", "the command and its exit code"),
    "cli/report": ("leaderboard/test_sweep_report.py", "one call of the report"),
    "cli/job": ("cli/test_submit.py", "a job that is followed, listed and stopped"),
    "cli/schema": ("study/test_json_schema.py", "what it prints is what ships"),
    "cli/trials": ("leaderboard/test_trial_list.py", "the command beside what it prints"),
    "cli/status": ("leaderboard/test_trial_list.py", "both commands beside what they print"),
    "cli/sweep_plan": ("sweep/test_plan.py", "the command on a search file"),
    "cli/score_tables": ("cli/test_leaderboard.py", "printed tables"),
    "cli/sweep": ("sweep/test_local_sweep.py", "the command on whole sweeps"),
    "cli/options/cluster": ("cli/test_verbs.py", "names and types agree with the work"),
    "cli/options/data": ("cli/test_verbs.py", "names and types agree with the work"),
    "cli/options/results": ("cli/test_verbs.py", "names and types agree with the work"),
    "cli/options/training": ("cli/test_verbs.py", "names and types agree with the work"),
    "config/baselines": ("config/test_keys.py", "every field changes the keys of its method"),
    "config/critic_section": ("config/test_schema.py", "every field of every section"),
    "config/method": ("config/test_run_methods.py", "what each method says of its run"),
    "config/method_names": ("config/test_own_methods.py", "which names are allowed"),
    "config/notes": ("config/test_facts.py", "markers are read through the facts"),
    "config/stage_sections": ("config/test_schema.py", "every field of every section"),
    "config/travel": ("config/test_own_methods.py", "a method goes to another process"),
    "config/section": ("config/test_schema.py", "every field of every section"),
    "data/imports/recording": (
        "data/imports/test_episodes.py",
        "columns of every kind become rows",
    ),
    "data/imports/sources": ("cli/test_data_import.py", "what SOURCE may be"),
    "data/imports/spaces": ("data/imports/test_minari.py", "spaces that Minari writes"),
    "data/imports/arrow_columns": (
        "data/imports/test_episodes.py",
        "tables of Arrow and of pandas",
    ),
    "data/imports/writer": ("data/imports/test_minari.py", "files against what was put in"),
    "data/http": ("data/test_download.py", "a real server that breaks off, redirects, drips"),
    "data/minari_folder": ("data/test_minari_hdf5.py", "folders beside the files"),
    "evaluation/_mujoco": ("evaluation/test_physics.py", "contacts of every simulator"),
    "evaluation/camera": ("cli/test_evaluate.py", "--video draws"),
    "evaluation/pixel_canvas": ("cli/test_evaluate.py", "--video draws"),
    "evaluation/episode_recorder": ("cli/test_evaluate.py", "--video draws"),
    "evaluation/env": ("evaluation/test_registry.py", "interfaces alone"),
    "distributed/head": ("distributed/test_cluster.py", "heads that answer, refuse or are mute"),
    "distributed/node_checks": ("cli/test_submit.py", "every machine of a head is looked at"),
    "distributed/ray_log": ("sweep/test_tune.py", "what Ray says of a death"),
    "evaluation/locomotion": ("evaluation/test_registry.py", "every environment is made"),
    "evaluation/mujoco_env": ("evaluation/test_registry.py", "every environment is made"),
    "evaluation/sync_vector_env": ("evaluation/test_rollout.py", "episodes side by side"),
    "leaderboard/open_searches": ("sweep/test_executors.py", "a search that was broken off"),
    "leaderboard/sweep_status": ("leaderboard/test_trial_list.py", "beside the trials it counts"),
    "leaderboard/trial_reasons": ("leaderboard/test_trial_list.py", "the rule against records"),
    "leaderboard/formats/document": ("leaderboard/formats/test_json.py", "a dataclass alone"),
    "nets/optimiser": ("nets/test_nets.py", "networks against plain torch modules"),
    "nets/policy_net": ("nets/test_nets.py", "networks against plain torch modules"),
    "nets/stack": ("nets/test_nets.py", "networks against plain torch modules"),
    "nets/twin_q": ("nets/test_nets.py", "networks against plain torch modules"),
    "store/bucket_errors": ("store/test_bucket.py", "what a server refuses, in words"),
    "store/mirror": ("store/test_bucket.py", "copies beside the objects"),
    "store/news": ("leaderboard/test_trial_list.py", "what a status reads of a driver"),
    "study/saved_spec": ("verify/test_specifications.py", "damaged and forged ones"),
    "study/corners": ("study/test_search_file.py", "extreme values that settings refuse"),
    "study/prior": ("sweep/test_warm_start.py", "trials of another sweep, kept and read"),
    "sweep/actor": ("sweep/test_sweep_ray.py", "trials on Ray"),
    "sweep/hparams": ("sweep/test_dashboard.py", "read back by TensorBoard's reader"),
    "sweep/run": ("sweep/test_local_sweep.py", "whole sweeps"),
    "sweep/run_recorder": ("sweep/test_train_runs.py", "records of ended runs"),
    "sweep/tpe": ("sweep/test_task_study.py", "what Optuna is told"),
    "train/job_store": ("train/test_runner.py", "what a resume finds"),
    "train/local_workers": ("train/test_local_service.py", "processes that are killed"),
    "train/metrics": ("train/test_runner.py", "rows stand once whatever was written"),
    "train/run_record": ("train/test_machine.py", "records against the schema"),
    "train/scoring": ("cli/test_evaluate.py", "scores equal the recorded ones"),
    "train/training_service": ("train/test_local_service.py", "the interface and its example"),
    "validation/charts": ("cli/test_toy.py", "pictures of the command"),
    "validation/dimension_tables": ("cli/test_toy.py", "tables of the command"),
    "validation/rounds_tables": ("cli/test_toy.py", "tables of the command"),
    "validation/estimators": ("validation/test_dimension_cells.py", "estimators by their bias"),
    "validation/experiments": ("cli/test_toy.py", "the table of experiments"),
    "verify/config_cache": ("verify/test_record_checks.py", "configurations of records"),
}


def test_every_module_has_its_test_file_or_a_cover() -> None:
    modules = {
        str(path.relative_to(ROOT / "qipo_ray").with_suffix(""))
        for path in (ROOT / "qipo_ray").rglob("*.py")
        if not path.stem.startswith("__")
    }
    untested = {name for name in modules if not _own_test(name).exists()}
    assert untested == COVERED.keys()  # one with a test file of its own leaves the list


def test_every_cover_exists_and_says_why() -> None:
    for test, reason in COVERED.values():
        assert (ROOT / "tests" / test).is_file() and len(reason) > 10, test


def _own_test(module: str) -> Path:
    room, _, name = module.rpartition("/")
    return ROOT / "tests" / room / f"test_{name}.py"
