"""Names of the built-in backbones: name -> module:attr."""

TABLE: dict[str, str] = {"conv4": "robustmeta.backbones.conv4:Conv4"}
