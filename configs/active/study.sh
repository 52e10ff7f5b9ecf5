#!/usr/bin/env bash
# The study of the README's "What helps where labels are few": four pretrainings with three seeds each, and from each of them, or from
# scratch, three random choices of 200, of 1,000 and of all labelled images (these from the first two seeds). What is done is not done
# again: stopped, it goes on where it was.
#
#     bash configs/active/study.sh [LABELS]...       one or other numbers of labelled images; 0: all
set -euo pipefail
cd "$(dirname "$0")/../.."

synth() { [ -d "$1" ] || deno task synth --out "$@"; }
synth data/few --unlabelled 4000 --labelled 2000 --seed 3
synth data/test --unlabelled 0 --labelled 2000 --seed 4

# epochs: what takes about as long for each
pretrain() {
  for seed in 1 2 3; do
    deno task pretrain --config configs/active/pretrain.yaml --out "runs/active/$1_$seed" --set data.seed=$seed "${@:2}"
  done
}
pretrain active_mae
pretrain simclr_active --set training.method=simclr --set training.epochs=4
pretrain simclr_all --set training.method=simclr --set training.epochs=3 --set model.tokens=all
pretrain mae_all --set training.method=mae --set training.epochs=3 --set model.tokens=all

# study LABELS ARM TOKENS COMPARED...: all tokens cost 1.5 times as much a step as active ones, and get as many epochs less
study() {
  local labels=$1 arm=$2 tokens=$3 epochs=6 warmup=1 batch=32 seeds="1 2 3" from=() weights
  [ "$labels" = 200 ] && epochs=30 warmup=3 batch=20
  [ "$labels" = 0 ] && seeds="1 2"
  [ "$tokens" = all ] && epochs=$((epochs * 2 / 3))
  if [ "${arm#scratch}" = "$arm" ]; then
    weights=$(printf ",runs/active/${arm}_%s/best.safetensors" $seeds)
    from=(--config configs/active/finetune.yaml --pretrained "${weights#,}")
  else
    from=(--config configs/active/scratch.yaml)
  fi
  deno task study "${from[@]}" --splits 3 --out "runs/active/study_$labels/$arm" --set data.max_train_images="$labels" \
    --set data.batch_size=$batch --set model.tokens="$tokens" --set training.epochs=$epochs --set training.patience=$epochs \
    --set training.warmup_epochs=$warmup $(for other in "${@:4}"; do echo --against "runs/active/study_$labels/$other"; done)
}
[ $# -gt 0 ] || set -- 200 1000 0
for labels in "$@"; do
  study $labels scratch_all all
  study $labels scratch_active active scratch_all
  study $labels simclr_all all scratch_all
  study $labels mae_all all scratch_all
  study $labels simclr_active active scratch_active
  study $labels active_mae active scratch_active simclr_active
done
