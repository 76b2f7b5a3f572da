"""Names of the built-in backbones: name -> module:attr."""

TABLE: dict[str, str] = {
    "conv4": "robustmeta.backbones.conv4:Conv4",
    "conv6": "robustmeta.backbones.conv6:Conv6",
    "mlp": "robustmeta.backbones.mlp:Mlp",
    "resnet12": "robustmeta.backbones.resnet12:ResNet12",
    "timm": "robustmeta.backbones.timm:Timm",
    "torchvision": "robustmeta.backbones.torchvision:Torchvision",
}
