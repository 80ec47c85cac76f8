//! Classic BPF over `struct seccomp_data`: instructions, comparisons of arguments, and decisions over ranges.

/// A program or a part of one, an instruction a word as the kernel lays it out.
pub(super) type Code = Vec<u64>;

/// A comparison of one argument, 64 bits wide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    pub(super) argument: u32,
    pub(super) comparison: Comparison,
}

/// What an argument has to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Comparison {
    Equal(u64),
    NotEqual(u64),
    Less(u64),
    LessOrEqual(u64),
    Greater(u64),
    GreaterOrEqual(u64),
    Masked { mask: u64, value: u64 },
}

/// Ends the program with a verdict.
pub(super) fn verdict(action: u32) -> Code {
    vec![instruction(RETURN, 0, 0, action)]
}

/// Loads the number of the system call.
pub(super) fn load_number() -> Code {
    vec![instruction(LOAD, 0, 0, NUMBER_OFFSET)]
}

/// Loads the architecture.
pub(super) fn load_architecture() -> Code {
    vec![instruction(LOAD, 0, 0, ARCHITECTURE_OFFSET)]
}

/// Goes through `inside` if the loaded word is `value`, else past it.
pub(super) fn when_equal(value: u32, inside: Code) -> Code {
    let mut code = vec![instruction(JUMP_EQUAL, 1, 0, value)];
    code.push(instruction(JUMP, 0, 0, inside.len() as u32));
    code.extend(inside);
    code
}

/// Ends with `action` if all conditions hold, else goes on behind.
pub(super) fn when_all(conditions: &[Condition], action: u32) -> Code {
    let mut code: Code = conditions.iter().flat_map(Condition::code).collect();
    code.extend(verdict(action));
    let length = code.len();
    for (index, word) in code.iter_mut().enumerate() {
        patch_fail(word, (length - index - 1) as u8);
    }
    code
}

/// Decides by the loaded word: `ranges` are the first number of each range with its code, sorted, the first at 0.
pub(super) fn decide(ranges: &[(u32, Code)]) -> Code {
    match ranges {
        [] => Code::new(),
        [(_, code)] => code.clone(),
        _ => {
            let (low, high) = ranges.split_at(ranges.len() / 2);
            let (pivot, low, high) = (high[0].0, decide(low), decide(high));
            let mut code = match u8::try_from(low.len()) {
                Ok(length) if length != FAIL => {
                    vec![instruction(JUMP_GREATER_OR_EQUAL, length, 0, pivot)]
                }
                _ => vec![
                    instruction(JUMP_GREATER_OR_EQUAL, 0, 1, pivot),
                    instruction(JUMP, 0, 0, low.len() as u32),
                ],
            };
            code.extend(low);
            code.extend(high);
            code
        }
    }
}

impl Condition {
    /// Falls out at its end if it holds, jumps to `FAIL` if not.
    fn code(&self) -> Code {
        let low = ARGUMENTS_OFFSET + 8 * self.argument;
        let high = low + 4;
        let load = |offset| instruction(LOAD, 0, 0, offset);
        let test = |jump, yes, no, value| instruction(jump, yes, no, value);
        let halves = |value: u64| ((value >> 32) as u32, value as u32);
        match self.comparison {
            Comparison::Equal(value) => {
                let (h, l) = halves(value);
                vec![load(high), test(JUMP_EQUAL, 0, FAIL, h), load(low), test(JUMP_EQUAL, 0, FAIL, l)]
            }
            Comparison::NotEqual(value) => {
                let (h, l) = halves(value);
                vec![load(high), test(JUMP_EQUAL, 0, 2, h), load(low), test(JUMP_EQUAL, FAIL, 0, l)]
            }
            Comparison::Greater(value) => at_least(load(high), load(low), JUMP_GREATER, value),
            Comparison::GreaterOrEqual(value) => {
                at_least(load(high), load(low), JUMP_GREATER_OR_EQUAL, value)
            }
            Comparison::Less(value) => at_most(load(high), load(low), JUMP_GREATER_OR_EQUAL, value),
            Comparison::LessOrEqual(value) => at_most(load(high), load(low), JUMP_GREATER, value),
            Comparison::Masked { mask, value } => {
                let ((mask_high, mask_low), (h, l)) = (halves(mask), halves(value));
                vec![
                    load(high),
                    instruction(AND, 0, 0, mask_high),
                    test(JUMP_EQUAL, 0, FAIL, h),
                    load(low),
                    instruction(AND, 0, 0, mask_low),
                    test(JUMP_EQUAL, 0, FAIL, l),
                ]
            }
        }
    }
}

/// Holds if the high halves say so, or they are equal and the test of the low ones holds.
fn at_least(load_high: u64, load_low: u64, low_test: u16, value: u64) -> Code {
    let (high, low) = ((value >> 32) as u32, value as u32);
    vec![
        load_high,
        instruction(JUMP_GREATER, 3, 0, high),
        instruction(JUMP_EQUAL, 0, FAIL, high),
        load_low,
        instruction(low_test, 0, FAIL, low),
    ]
}

/// The opposite of [`at_least`].
fn at_most(load_high: u64, load_low: u64, low_test: u16, value: u64) -> Code {
    let (high, low) = ((value >> 32) as u32, value as u32);
    vec![
        load_high,
        instruction(JUMP_GREATER, FAIL, 0, high),
        instruction(JUMP_EQUAL, 0, 2, high),
        load_low,
        instruction(low_test, FAIL, 0, low),
    ]
}

fn instruction(code: u16, yes: u8, no: u8, value: u32) -> u64 {
    let words = [u16::to_ne_bytes(code), [yes, no]].concat();
    let bytes: [u8; 8] = std::array::from_fn(|index| match index {
        0..4 => words[index],
        _ => value.to_ne_bytes()[index - 4],
    });
    u64::from_ne_bytes(bytes)
}

/// Puts the real distance in the place of `FAIL`, in jumps that have it.
fn patch_fail(word: &mut u64, distance: u8) {
    let mut bytes = word.to_ne_bytes();
    for jump in &mut bytes[2..4] {
        if *jump == FAIL {
            *jump = distance;
        }
    }
    *word = u64::from_ne_bytes(bytes);
}

/// Stands for "the condition does not hold" until the distance is known. No other jump is that long.
const FAIL: u8 = u8::MAX;

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_GREATER_OR_EQUAL: u16 = 0x35;
const RETURN: u16 = 0x06;

const NUMBER_OFFSET: u32 = 0;
const ARCHITECTURE_OFFSET: u32 = 4;
const ARGUMENTS_OFFSET: u32 = 16;

/// Runs a program on a system call as the kernel does.
#[cfg(test)]
pub(super) fn interpret(code: &[u64], data: [u32; 16]) -> u32 {
    let (mut at, mut word) = (0, 0);
    loop {
        let bytes = code[at].to_ne_bytes();
        let (yes, no) = (usize::from(bytes[2]), usize::from(bytes[3]));
        let value = u32::from_ne_bytes(bytes[4..].try_into().unwrap());
        at += 1;
        let jump = |holds: bool| if holds { yes } else { no };
        match u16::from_ne_bytes([bytes[0], bytes[1]]) {
            LOAD => word = data[value as usize / 4],
            AND => word &= value,
            JUMP => at += value as usize,
            JUMP_EQUAL => at += jump(word == value),
            JUMP_GREATER => at += jump(word > value),
            JUMP_GREATER_OR_EQUAL => at += jump(word >= value),
            RETURN => return value,
            other => panic!("unknown instruction {other:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(number: u32, argument: u64) -> [u32; 16] {
        let mut data = [0; 16];
        data[0] = number;
        (data[6], data[7]) = (argument as u32, (argument >> 32) as u32);
        data
    }

    #[test]
    fn comparisons_are_those_of_whole_words() {
        let values = [0, 1, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, 0x2_0000_0000, u64::MAX];
        for value in values {
            for argument in values {
                let cases = [
                    (Comparison::Equal(value), argument == value),
                    (Comparison::NotEqual(value), argument != value),
                    (Comparison::Less(value), argument < value),
                    (Comparison::LessOrEqual(value), argument <= value),
                    (Comparison::Greater(value), argument > value),
                    (Comparison::GreaterOrEqual(value), argument >= value),
                    (Comparison::Masked { mask: !1, value: value & !1 }, argument & !1 == value & !1),
                ];
                for (comparison, holds) in cases {
                    let mut code = when_all(&[Condition { argument: 1, comparison }], 7);
                    code.extend(verdict(9));
                    let got = interpret(&code, data(0, argument));
                    assert_eq!(got == 7, holds, "{comparison:x?} on {argument:#x}");
                }
            }
        }
    }

    #[test]
    fn decisions_find_the_range_however_many_there_are() {
        let ranges: Vec<(u32, Code)> = (0..2000).map(|n| (n * 3, verdict(n))).collect();
        let mut code = load_number();
        code.extend(decide(&ranges));
        for number in [0, 2, 3, 4, 2999, 3000, 5997, 6000, u32::MAX] {
            assert_eq!(interpret(&code, data(number, 0)), (number / 3).min(1999));
        }
    }

    #[test]
    fn all_conditions_have_to_hold() {
        let condition = |comparison| Condition { argument: 1, comparison };
        let both = [condition(Comparison::Greater(3)), condition(Comparison::Less(9))];
        let mut code = when_all(&both, 7);
        code.extend(verdict(9));
        let verdicts = [3, 4, 8, 9].map(|argument| interpret(&code, data(0, argument)));
        assert_eq!(verdicts, [9, 7, 7, 9]);
    }
}
