/* From a stub to C and back, with every register as it was. A stub (stubs.c) has done:
 *   lea -128(%rsp), %rsp      the red zone of the interrupted function stays as it is
 *   push %rax
 *   mov $instruction, %rax
 *   call *entry
 */
        .text
        .altmacro
        .macro  save_zmm n
        vmovdqa64 %zmm\n, 64*\n(%rsp)
        .endm
        .macro  load_zmm n
        vmovdqa64 64*\n(%rsp), %zmm\n
        .endm
        .macro  save_mask n
        kmovq   %k\n, 2048+8*\n(%rsp)
        .endm
        .macro  load_mask n
        kmovq   2048+8*\n(%rsp), %k\n
        .endm
        .macro  each count, what
        .set    i, 0
        .rept   \count
        \what   %i
        .set    i, i+1
        .endr
        .endm

        .hidden from_stub
        .globl  from_stub
        .type   from_stub, @function
from_stub:
        pushfq
        cld
        /* An array of 16 registers by their numbers, the last first. */
        .irp    r, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp
        push    %\r
        .endr
        lea     240(%rsp), %rdi            /* the program's rsp: 12 words here, the return address, rax, 128 */
        push    %rdi
        push    %rbx
        push    %rdx
        push    %rcx
        mov     136(%rsp), %rdi            /* the program's rax */
        push    %rdi

        mov     %rax, %rdi
        mov     %rsp, %rsi
        mov     %rsp, %rbp
        sub     $2176, %rsp
        and     $-64, %rsp
        each    32, save_zmm
        each    8, save_mask
        call    execute_from_stub
        each    32, load_zmm
        each    8, load_mask
        mov     %rbp, %rsp

        add     $8, %rsp
        pop     %rcx
        pop     %rdx
        pop     %rbx
        add     $8, %rsp
        .irp    r, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        pop     %\r
        .endr
        popfq
        ret
        .size   from_stub, .-from_stub
        .section .note.GNU-stack, "", @progbits
