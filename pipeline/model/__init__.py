"""Networks: architectures, losses, data augmentation, training by patches, checkpoints and ensembles.

assignment    assignment of one training: inputs, settings, rows, and warnings of what it lacks
augment       data augmentation: random changes of a patch and its target, by name
bioimageio    export as a model of bioimage.io, checked by its validator
buildable     check whether a network can be built and takes patches of a side
card          model card: description of a trained model, read without torch
changes       random changes one by one: geometry and colour
checkpoint    checkpoint of a trained model, loaded: card and weights
crops         moving crops: the box of a training patch in an epoch
encoder_file  encoder weights from a state-dict file
ensemble      ensemble: mean probability of several models
export        export of a trained model: network and probabilities as one graph
export_input  sample to compare an exported model on
export_onnx   export to ONNX, compared by ONNX Runtime
hardest       hardest patches by loss, and labels that are in doubt
held_out      held-out images: those that a model was not trained on
label_overlap  Dice and Tversky of labels from sums per class
loss          losses by name, and their weighted sum
map_origin    origin of maps: the model that made them
marginal      background and unknown classes as one outcome
module        training step, validation step and end of an epoch
network       architectures, encoders, scaling of the input, probabilities
operators     import of torchvision beside a torch build that it does not match
order         order of the patches in each epoch, and batches
patches       data set and data loader: patches read from the normalised stores
precision     precision of arithmetic: the meaning of auto on this machine
pretrained    encoder weights from installed packages
progress      progress: table and curves of every epoch, bar, time left
recipe        length in steps, learning rate of a step, moving average
refusals      refusals of models before anything is computed, without torch
resizing      resizing of patches that are read larger or smaller
rows          index rows for training and for validation
scaling       scaling of the input of a network
scores        Dice and IoU pooled over validation patches
session       settings of torch while a model trains: device, threads, determinism
state_file    state dict from a file: digest, size, tensors only
suspects      suspected label errors: regions where a network is sure of the opposite
targets       training target of a task, from the truth planes
together      training by several processes, by Lightning
train         training of one model, from the patch index to its folder
trained_files  files of a trained model: weights, history, model card
trainer       trainer: Lightning, with a checkpoint of the whole state after each epoch
weighting     class weights of the loss: given, or from the index
"""
