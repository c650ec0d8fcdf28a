"""What every test shares: the hypothesis profiles."""

import os

from hypothesis import settings

# No deadline anywhere: a slow moment of a shared machine is not a defect. In CI the examples are always the same ones,
# so that a red run can be repeated; elsewhere each run looks at new ones.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
