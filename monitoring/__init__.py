"""What happens after release."""

import os

# Before anything imports NannyML, which else reports its use to its makers.
os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
