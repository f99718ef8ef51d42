"""Writes the starter language model as a GGUF file that llama.cpp loads, and reads it back."""

from pathlib import Path

import gguf
import numpy as np
import torch

from models.training.llama_net import Llama, deinterleave, interleave
from models.training.llama_tokens import CHAT_TEMPLATE, END_OF_TEXT, IM_END, StarterTokenizer

CONTEXT_LENGTH = 2048


def write_gguf(net: Llama, tokenizer: StarterTokenizer, path: Path) -> None:
    """Matrices as Q8_0, norms as F32; written beside `path` and then moved there.

    Args:
        net: the trained network.
        tokenizer: the one that it was trained with.
        path: the file to make or replace.
    """
    size = net.size
    part = path.with_suffix(".part")
    writer = gguf.GGUFWriter(part, "llama")
    writer.add_name("offhook starter")
    writer.add_description("Trained from scratch on made-up phone dialogues; see models/training")
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(size.width)
    writer.add_block_count(size.blocks)
    writer.add_feed_forward_length(size.feed_forward)
    writer.add_head_count(size.heads)
    writer.add_head_count_kv(size.heads)
    writer.add_rope_dimension_count(size.head_width)
    writer.add_rope_freq_base(size.rope_base)
    writer.add_layer_norm_rms_eps(size.norm_epsilon)
    writer.add_vocab_size(size.vocab)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    control, fixed = set(tokenizer.control), set(tokenizer.fixed)
    writer.add_token_list(list(tokenizer.tokens))
    writer.add_token_types(
        [
            gguf.TokenType.CONTROL
            if token in control
            else gguf.TokenType.USER_DEFINED
            if token in fixed
            else gguf.TokenType.NORMAL
            for token in tokenizer.tokens
        ]
    )
    writer.add_token_merges([f"{left} {right}" for left, right in tokenizer.merges])
    writer.add_bos_token_id(tokenizer.special[END_OF_TEXT])
    writer.add_eos_token_id(tokenizer.special[IM_END])
    writer.add_pad_token_id(tokenizer.special[END_OF_TEXT])
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    tensors = {"token_embd.weight": net.token_embd().detach(), **net.state_dict()}
    for name, parameter in tensors.items():
        if name in ("words", "space"):
            continue
        if name.endswith(("attn_q.weight", "attn_k.weight")):
            values = interleave(parameter, size.heads).float().numpy()
        else:
            values = parameter.float().numpy()
        if values.ndim == 1:
            writer.add_tensor(name, values)
            continue
        kind = gguf.GGMLQuantizationType.Q8_0
        packed = gguf.quants.quantize(np.ascontiguousarray(values), kind)
        writer.add_tensor(name, packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(path)


def read_gguf(net: Llama, tokenizer: StarterTokenizer, path: Path) -> None:
    """Take a file's weights over, to train on from them; tokens that it lacks stay as they are.

    Args:
        net: of the file's size, but for the vocabulary.
        tokenizer: the network's own.
        path: a file of `write_gguf`.
    """
    reader = gguf.GGUFReader(path)
    size = net.size
    tensors = {
        tensor.name: torch.from_numpy(
            np.array(gguf.quants.dequantize(tensor.data, tensor.tensor_type), np.float32)
        )
        for tensor in reader.tensors
    }
    known: list[str] = reader.get_field("tokenizer.ggml.tokens").contents()
    row_of = {token: row for row, token in enumerate(known)}
    table = tensors.pop("token_embd.weight")
    with torch.no_grad():
        for token, own, spaced in zip(
            tokenizer.tokens, range(size.vocab), tokenizer.spaced, strict=True
        ):
            if token in row_of and not spaced:
                net.words[own] = table[row_of[token]]
        joined = [
            table[row_of[tokenizer.tokens[spaced]]] - table[row_of[tokenizer.tokens[plain]]]
            for plain, spaced in tokenizer.joined.items()
            if {tokenizer.tokens[spaced], tokenizer.tokens[plain]} <= row_of.keys()
        ]
        net.space.copy_(torch.stack(joined).mean(0))
    for name, values in tensors.items():
        if name.endswith(("attn_q.weight", "attn_k.weight")):
            tensors[name] = deinterleave(values, size.heads)
    missing = net.load_state_dict(tensors, strict=False).missing_keys
    assert set(missing) == {"words", "space"}
