"""Kedro's settings: its defaults. Figures are in ``conf/base/parameters.yaml``, files in ``conf/base/catalog.yml``."""

import warnings

from crypto.hooks import BeforeAndAfter

HOOKS = (BeforeAndAfter(),)

# A figure in conf/local replaces that figure, not its whole block.
CONFIG_LOADER_ARGS = {"base_env": "base", "default_run_env": "local", "merge_strategy": {"parameters": "soft"}}

# Kedro 1.7 calls what omegaconf 2.4 renames, three times a run: nothing that a reader of a run could mend.
warnings.filterwarnings("ignore", message=r"register_new_resolver\(\) is deprecated")
